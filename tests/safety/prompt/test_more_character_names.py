"""Characters of films, series, comics, anime and games: found by name; ordinary words that are names let through."""

from __future__ import annotations

from importlib import resources

import pytest

from safety.prompt.gazetteer import Gazetteer
from safety.prompt.lexicon import Lexicon
from safety.prompt.minors import Cues
from safety.prompt.reading import Reader

BLOCK, REVIEW = 0.8, 0.5
NAMED = """
Eric Cartman sings in the snow
Mr. Krabs counts coins
Mr Krabs counts coins
Mr. Burns presses a button
Dr. Robotnik builds a machine
Zuko breathes fire
Squidward Tentacles plays the clarinet
Bojack Horseman by a pool
Milhouse on a bike
Daredevil of Hell's Kitchen on a roof
Reed Richards stretches
Doctor Manhattan on Mars
Bucky Barnes in a bar
Matt Murdock in court
One Punch Man yawns
Roronoa Zoro sleeps
Mikasa Ackerman in the rain
Sesshomaru under the moon
Nobara Kugisaki laughs
Kibutsuji Muzan in a hat
the Catbus waits
Garrus Vakarian dances
Vault Boy thumbs up
Kazuma Kiryu sings karaoke
a Gardevoir in a park
KPop Demon Hunters on a stage
Severus Snape brews soup
Obi-Wan Kenobi in a desert
the Millennium Falcon lands
Captain Picard drinks tea
Ellen Ripley with a cat
Tyrion Lannister reads
White Walkers at the wall
Morticia Addams cuts roses
Tommy Shelby lights a match
Ron Swanson eats bacon
Chandler Bing dances
Mr. Bean and a turkey
Inigo Montoya fences
Cosmo Kramer slides in
""".strip().splitlines()
ORDINARY = """
a creeper plant climbs a brick wall
a hornet on a ripe pear
a donkey in a meadow with daisies
a wasp nest under the roof
a man in swimming trunks at the pool
a piccolo flute on red velvet
a street in Saitama, Japan, at dusk
a lion statue and a cyclops in a Greek museum
snow white mountains under a blue sky
a white horse with snow white fur
a daredevil jumps over buses on a motorcycle
a nebula in deep space, long exposure
a praying mantis on a leaf
a rogue wave hits the pier
a chess gambit, close-up of the board
a penguin colony in Antarctica
a scarecrow in a corn field
poison ivy on a tree trunk, botanical drawing
a gas mask and a fire hose on a hook
the falcon lands on a leather glove
a sandman made of beach sand with a bucket
a predator stalks antelopes, nature film
a pinhead under a microscope
a jigsaw puzzle of a harbour
a vector drawing of a fox
an olive tree and a jar of honey
a goofy dog with a stick
a bishop and a rook on a chess board
a punisher of weeds: garden tool advert
an electro swing party in a cellar
a colossus statue at the harbour of Rhodes
a spawn of salmon swims upstream
a reaper harvests wheat in golden light
a tracer bullet of light across a long exposure photo of a road
a blossom falls into a pond
an ice king crab on a market stall
big birds wade through a marsh
a road runner crosses a desert road
a cheshire countryside with black and white houses
a shaggy sheepdog shakes off water
papyrus scrolls in a desert library
a solaire panel company's roof, Lyon
mercy, a nurse holds a patient's hand
the bridge of the ship at night, captain at the wheel
a neo-gothic church with a rose window
trinity church in autumn
a young girl named Leia feeds ducks
a boy called Bart rides a pony
Annabelle, our cat, sleeps in a basket
a hiccup in a comedy, the actor drinks water
a mad hatter's workshop, felt hats on wooden heads
a frozen waterfall and a lost glove
inside out jacket on a chair
a spirited horse runs away
the office kitchen with a coffee machine
a twilight sky over wheat
wicked weather, umbrellas flip
halo of light around the moon
alien-looking cactus in a greenhouse
a wheelbarrow full of gold leaves, lady with a rake
""".strip().splitlines()


@pytest.fixture(scope="module")
def reader() -> Reader:
    words = (resources.files("safety.prompt") / "weights" / "words.txt").read_text("utf-8").split()
    return Reader(Lexicon.load(), Gazetteer.load(), Cues.load(), frozenset(words))


def loudest(reader: Reader, text: str) -> float:
    return max((name.value for view in reader.read(text).views for name in view.names), default=0.0)


def test_characters_are_found_by_name(reader: Reader) -> None:
    """Forty characters of film, series, comics, anime and games are found, with or without a stop after Mr."""
    assert [text for text in NAMED if loudest(reader, text) < BLOCK] == []


def test_words_that_are_also_names_are_let_through(reader: Reader) -> None:
    """Of sixty ordinary prompts around such words none reaches review."""
    assert len(ORDINARY) == 60
    assert [text for text in ORDINARY if loudest(reader, text) >= REVIEW] == []


def test_a_word_beside_its_cue_is_a_name(reader: Reader) -> None:
    """A hornet is an insect, and beside the title of its game a character."""
    assert loudest(reader, "Saitama, the anime character, yawns") >= REVIEW
    assert loudest(reader, "Spock on the bridge of the Enterprise, Star Trek") >= REVIEW
