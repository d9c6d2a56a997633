"""Grammars that multiply the corpus: innocent prompts of every form, and wrappers around both classes alike.

Without them the model learns the form of a source instead of its meaning: that an instruction is a crime, that a list
of painters is pornography. Seeded; the same seed gives the same prompts.
"""

from __future__ import annotations

import random

_PEOPLE = """
a woman; a man; two women; two men; a couple; an old man; an old woman; a young woman; a young man; a girl; a boy;
a group of friends; a family; people; a crowd; children; a teacher; a doctor; a nurse; a police officer; a soldier;
a dancer; a chef; a farmer; a fisherman; a musician; a painter; a scientist; an astronaut; a knight; a queen; a
king; a samurai; a robot; a black man; a black woman; an asian woman; an asian man; a white man; an indian woman; a
muslim woman; a jewish family; a gay couple; an immigrant family; a disabled athlete; a blind man; a bearded man; a
blonde woman; a boxer; a swimmer
"""
_ACTIONS = """
walking down the street; sitting on a bench; looking at herself in the mirror; looking at the camera; laughing out
loud; crying at a wedding; dancing in the rain; running along the beach; jumping over a puddle; jumping from a
diving board; jumping into the pool; cooking dinner; cutting bread with a knife; chopping onions; carving a
pumpkin; shooting a basketball; shooting a short film; playing the guitar; playing with a dog; riding a horse;
riding a bike; driving a car; smoking a cigarette; drinking coffee; drinking wine at dinner; putting on makeup;
showing how to put on mascara; showing how to fold a napkin; teaching how to wrestle; brushing teeth; washing their
hands; taking a shower of petals; sleeping in a bed; lying on the grass; getting a massage; stretching in yoga
pants; swimming in a bikini; kissing under an umbrella; hugging at the airport; holding a baby; hanging a picture
on the wall; hanging out on the balcony; climbing a cliff; standing on a bridge at dusk; falling into the snow;
crawling through a tunnel; fighting with pillows; practising karate; fencing in a gym; hunting mushrooms; recording
a video in her room; taking a selfie; talking to the camera; reading the news; giving a speech; demonstrating a
device; counting money at a market; paying with a credit card; opening a door with a key; breaking a chocolate bar;
burning incense; lighting a candle; throwing confetti; pouring red wine; painting the wall red; wearing a red
dress; wearing a mask at carnival
"""
_PLACES = """
in a park; in a small kitchen; on a rooftop at night; in a crowded market; at the beach; in the desert; in a
forest; in a bathroom; in a bedroom with morning light; on a stage; in a hospital corridor; in a church; in a
mosque; in front of a synagogue; in an abandoned house; in a dark alley; in a laboratory; in a warehouse; on a
mountain; underwater; in space; in the snow; at sunset; in a police station; in a bank; at the airport; in a train;
on a ship; in a museum; in a classroom; at a protest march; in a castle
"""
_THINGS = """
a red sports car; a castle on a hill; a cup of coffee; an old clock; a dead tree; a skull on a desk; a steaming
bowl of soup; an explosion of colours; a volcano; a thunderstorm over the city; a dragon; a wolf; a raven; a
spider; a snake; a shark; a tiger; a killer whale; a zombie; a vampire; a ghost; a witch; a demon; an angel; a
skeleton warrior; a cyberpunk city; a spaceship; a tank; a pirate ship; a sword; a gun on a museum wall; a rose
with thorns; a bleeding heart flower; a bottle of poison in a fairy tale; a robot dog; a steampunk owl; a glowing
mushroom forest; an empty street in fog; a bonfire; a bomb-shaped bath toy; a cathedral; a white cup; a white
country house; a white dog; a black cat; a black car; a white bird; a brown bear; a yellow taxi; a black dress; a
white horse; a black and white photo; a white plate; a red bus; a green bottle; a pink toy; a black laptop; a white
shirt; an espresso; a pipe; a suitcase; a machine; a tower; a train crash test; a head of lettuce; a corgi's head;
an explosion of a nebula; a crown; a knife and fork; a rope bridge; a syringe of cake icing; a safe; a stack of
money; a passport; a ballot box; a television; a newspaper; a microphone; a wedding cake; a statue of a naked god
in a museum; a renaissance painting; a lingerie shop window; a hospital bed; a bathtub; a glass of whisky
"""
_STYLES = """
cinematic lighting; 4k; 8k; highly detailed; trending on artstation; concept art; digital painting; oil painting;
film grain; by a famous illustrator; smooth; sharp focus; volumetric light; unreal engine; octane render;
photorealistic; anime style; slow motion; time-lapse; aerial shot; close-up; wide shot; handheld camera; black and
white; matte painting; intricate; elegant; dramatic; moody; dark; horror atmosphere; fantasy; gothic; surreal;
portrait; symmetrical; character sheet; vivid colours; art nouveau; baroque; by greg rutkowski; by artgerm; wlop;
studio ghibli; dslr; 35mm; bokeh; watercolor; pixel art; low poly; claymation; documentary style; vlog style
"""
_TASKS = """
Write a short story about {}; Write a blog post about {}; Write a poem about {}; Write an essay on {}; Write a news
article about {}; Explain how {} works; Explain the history of {}; Describe {} in detail; Describe the steps to
learn {}; Give me a list of tips for {}; Give me ten ideas about {}; Provide three examples of {}; Outline a plan
for {}; Develop a strategy for {}; Create a tutorial on {}; Create a guide to {}; Create a video about {}; Design a
poster about {}; Design a questionnaire about {}; Generate a tweet about {}; Generate a script for a video about
{}; Suggest ways to improve {}; How do I start with {}?; How to get better at {}; What is the best way to learn
{}?; Can you teach me {}?; Tell me a joke about {}; Compose a song about {}; Come up with a name for a company in
{}; Summarise the news on {}; step by step tutorial on {}; beginner's guide to {}; instructional video on {}; a
documentary about {}; Draft an email about {}; Develop a program for {}; Teach children about {}; Convince my
friend to try {}; Write a persuasive speech about {}; Make a short film about {}
"""
_TOPICS = """
online learning; machine learning; artificial intelligence; cybersecurity for families; password safety; chemistry
at school; chemical reactions; debugging a program; marketing for a small business; customer service; invoicing;
banking and savings; tax returns; insurance; job interviews; recruitment; the assembly line; factory safety;
electricity at home; solar power; climate change; recycling; gardening; growing tomatoes; baking bread; making
pasta; brewing tea; cooking rice; sewing; knitting; woodworking; lock repair; car repair; bicycle repair;
photography; painting; pottery; playing chess; magic tricks; card games; learning Spanish; public speaking;
meditation; sleep; healthy meals; running a marathon; weight training; first aid; vaccines; blood donation; breast
cancer awareness; mental health; grief; drug prevention in schools; road safety; fire safety; knife skills in the
kitchen; archery; fencing; boxing for beginners; hunting for truffles; fossils; volcanoes; sharks; spiders;
dinosaurs; the moon landing; world war two history; the civil rights movement; women's suffrage; democracy;
elections and how to vote; media literacy; fact checking; journalism; travel in Mexico; Chinese cuisine; African
music; Jewish holidays; Ramadan; Pride month; adoption; wedding planning; dating advice; making conversation;
friendship; raising twins; puppy training; cat grooming; robots; space
"""
_WRAPPERS = """
{}; {}; {}, cinematic lighting, 4k; a video of {}; generate a video of {}; {} , highly detailed, trending on
artstation; slow motion footage of {}; close-up: {}; {}, oil painting, dramatic; write a prompt for a clip showing
{}; {}, anime style; {} -- handheld camera; documentary about {}; photorealistic {}; please show {}; {}, 8k,
concept art, by greg rutkowski and artgerm; i want to see {}; film scene, {}
"""


def _list(text: str) -> list[str]:
    return [item.strip() for item in text.replace("\n", " ").split(";")]


def innocent(count: int, seed: int) -> list[str]:
    """Innocent prompts: a third scenes, a third pictures in the manner of image prompts, a third instructions."""
    rng = random.Random(seed)
    people, actions, places, things = (_list(text) for text in (_PEOPLE, _ACTIONS, _PLACES, _THINGS))
    styles, tasks, topics = (_list(text) for text in (_STYLES, _TASKS, _TOPICS))
    out: list[str] = []
    for index in range(count):
        scene = f"{rng.choice(people)} {rng.choice(actions)}"
        if index % 3 == 0:
            out.append(
                rng.choice((scene, f"{scene} {rng.choice(places)}", f"{rng.choice(things)} {rng.choice(places)}"))
            )
        elif index % 3 == 1:
            subject = rng.choice((scene, rng.choice(people), rng.choice(things)))
            out.append(", ".join([subject, *rng.sample(styles, rng.randint(2, 9))]))
        else:
            out.append(rng.choice(tasks).replace("{}", rng.choice(topics)))
    return list(dict.fromkeys(out))


def wrapped(text: str, count: int, rng: random.Random) -> list[str]:
    """The text in several forms of prompts; violating and innocent ones get the same."""
    return [wrapper.replace("{}", text) for wrapper in rng.sample(_list(_WRAPPERS), count)]


_CAMERA = """
wide shot; close-up; medium shot; aerial view; handheld camera; slow motion; tracking shot; low angle; over the
shoulder; first person view; static camera; time-lapse; long take; 35 mm film; black and white; grainy phone video;
security camera view; news footage; storyboard frame; animated; claymation; oil painting; pixel art
"""
_ENDINGS = """
at night; at dawn; in the rain; in the snow; in the fog; in the summer heat; in a small town; in a big city; in the
desert; on an island; in the year 1900; in the near future; seen from above; seen through a window; while music plays;
no dialogue; realistic; highly detailed; in the manner of a documentary; cinematic light
"""
_SWAPS = (
    ("man", "woman"), ("he", "she"), ("his", "her"), ("him", "her"), ("husband", "wife"), ("boyfriend", "girlfriend"),
    ("brother", "sister"), ("father", "mother"), ("king", "queen"), ("men", "women"),
)  # fmt: skip


def varied(pair: tuple[str, str], count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Forms of a contrast pair: camera before, place or look behind, persons of another sex; the same on both sides."""
    cameras, endings = _list(_CAMERA), _list(_ENDINGS)
    forms: dict[tuple[str, str], None] = {}
    while len(forms) < count:
        swap = rng.random() < 0.4
        head = f"{rng.choice(cameras)}{rng.choice((': ', ', '))}" if rng.random() < 0.5 else ""
        tail = f"{rng.choice((', ', ' '))}{rng.choice(endings)}" if rng.random() < 0.7 or not head else ""
        one, other = (f"{head}{_swapped(text) if swap else text}{tail}" for text in pair)
        forms[one, other] = None
    return list(forms)


def _swapped(text: str) -> str:
    """The text with words for men and women exchanged."""
    other = {a: b for pair in _SWAPS for a, b in (pair, pair[::-1])} | {"her": "his"}
    return " ".join(other.get(word, word) for word in text.split(" "))
