"""The rule `sexual/minors`: a sexual signal AND a cue of a minor, with no tolerance.

The two cues are found apart from each other and joined by `conjunction`, so that each can be tested alone. Ages of
eighteen and more are no cue; words for grown persons exempt only the weak cues (girl, boy), never the strong ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from safety.prompt.gazetteer import fold_phrase
from safety.prompt.lexicon import Term, written_out
from safety.prompt.phrases import Hit, Key


class Level(IntEnum):
    """How strongly a cue speaks."""

    NONE = 0
    WEAK = 1
    STRONG = 2


@dataclass(frozen=True)
class Cue:
    """What a phrase stands for: a minor, a grown person, or (exempt) neither."""

    level: Level
    adult: bool = False
    exempt: bool = False


_STRONG = """
child; children; kid; kids; toddler; toddlers; infant; infants; newborn; underage; under age; preteen; preteens; pre teen
preschooler; preschoolers; schoolgirl; schoolgirls; schoolboy; schoolboys; school girl; school boy; school girls; school boys
teen; teens; teenage; teenager; teenagers; teenaged; adolescent; adolescents; juvenile; loli; lolis; lolita; lolicon; shota
shotacon; jailbait; kindergarten; kindergartner; kindergartners; first grader; fifth grader; sixth grader; seventh grader
eighth grader; ninth grader; elementary school; primary school; middle school; middle schooler; junior high
high schooler; high school student; high school students; high school girl; high school boy; high school girls; little girl
little girls; little boy; little boys; young girl; young girls; young boy; young boys; small child; prepubescent; pubescent
girl scout; girl scouts; boy scout; boy scouts; cub scout; minor girl; minor boy; a minor; minors; tween; tweens; child bride
childlike body; flat chested girl; daughter in primary; kiddie; kiddies; youngster; youngsters
niño; niños; niña pequeña; niñas; menino; meninos; menina; meninas; bambino; bambina; bambini; ragazzina; fillette; fillettes
enfant; enfants; mineure; minderjährig; minderjährige; kleines mädchen; schulmädchen; kleinkind; menor de edad; menor de idade
ребенок; ребёнок; дети; девочка; девочки; мальчик; мальчики; школьница; школьник; несовершеннолетняя; подросток
儿童; 兒童; 小女孩; 小男孩; 幼女; 萝莉; 蘿莉; 正太; 未成年; 小学生; 小學生; 中学生; 高中生; 女子高生; 女子中学生; 子供; 子ども; ロリ; ショタ
어린이; 미성년자; 여고생; 여중생; 초등학생; طفل; طفلة; أطفال; قاصر; बच्चा; बच्ची; बच्चे; नाबालिग
"""
_WEAK = "girl; girls; boy; boys; baby; babies; youth; young; younger; daughter; daughters; niece; nephew; stepdaughter; stepsister; student; pupil; cheerleader; petite; 少女; 少年"
_ADULT = """
adult; adults; grown; grown up; grown ups; grownup; middle aged; mature; elderly; wife; husband; consenting; of legal age
over eighteen; over 18; 18 plus; in her twenties; in his twenties; in her thirties; in his thirties; in their twenties
in their thirties; in her forties; in his forties; college age; woman; women; man; men
"""
_EXEMPT = [
    "baby {oil,doll,dolls,blue,pink,shower,bump,powder,grand piano,grand,carrot,carrots,spinach,monitor,boomer,boomers}",
    "babydoll{,s}",
    "sugar {baby,babies}",
    "baby {bird,birds,elephant,elephants,panda,pandas,goat,goats,animal,animals,owl,owls,deer,seal,seals,turtle,turtles,"
    "dragon,dragons,shark,monkey,monkeys,penguin,penguins,bear,bears,duck,ducks,chick,chicks,fox,foxes,rat,rats,mole rat,"
    "mole rats,kangaroo,lion,lions,tiger,tigers,bunny,bunnies,yoda,groot,whale,hippo,dinosaur,cat,cats,dog,dogs}",
    "goat kid{,s}",
    "kid goat{,s}",
    "kid gloves",
    "kid rock",
    "billy the kid",
    "child s pose",
    "inner child",
    "{no,without} {child,children,kids,minors,teens}",
    "not a minor",
    "{a minor,c minor,d minor,e minor,f minor,g minor,b minor} {chord,key,scale,sonata,symphony,concerto}",
    "a minor {detail,details,change,character,role,injury,accident,scratch,issue,problem,planet}",
    "ursa minor",
    "asia minor",
    "teenage mutant ninja turtle{,s}",
    "young {thug,at heart,adult,adults,professional,professionals,woman,women,man,men,lady,couple,mother,plant,tree,wine}",
    "adults only",
    "boy band{,s}",
    "girl band",
    "girl group",
    "girl power",
    "girl boss",
    "cow boy",
    "petite {woman,women,lady,wife}",
]
_SUGGESTIVE = frozenset("panties skimpy undressing undressed undress seduce seduces seducing lust".split())
_UNITS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
).split()
_NUMBER = rf"(?P<n>\d{{1,3}}|{'|'.join(_UNITS)})"
_AGE = re.compile(rf"(?<![^ ;]){_NUMBER} ?(?:year|years|yr|yrs|y|month|months|week|weeks) ?(?:old|o)s?(?![^ ;])")
_AGE_SHORT = re.compile(r"(?<![^ ;])(?P<n>\d{1,2}) ?(?:yo|y o|yrs|sai|anos|años|ans|jahre alt|лет|岁|歲|歳)(?![a-z])")
_AGED = re.compile(rf"(?<![^ ;])(?:aged|age|age of|is only|barely|turned|turning){'[ ;]'}{_NUMBER}(?![^ ;])")
_MONTHS = re.compile(r"month|week")
_THINGS = re.compile(
    r" (?:\w+ )?(?:whisky|whiskey|wine|scotch|rum|cheese|car|house|building|tree|dog|cat|horse|laptop|computer|bridge|truck|"
    r"recording|photo|painting|company|bottle|oak|bonsai|turtle|tortoise|parrot|mare|stallion|puppy|kitten|bourbon|brandy)s?\b"
)


def phrases() -> list[tuple[str, Cue]]:
    """Every cue phrase in key form with what it stands for."""
    out: list[tuple[str, Cue]] = []
    for lines, cue in ((_STRONG, Cue(Level.STRONG)), (_WEAK, Cue(Level.WEAK)), (_ADULT, Cue(Level.NONE, adult=True))):
        names = (name for line in lines.strip().split("\n") for name in line.split(";"))
        out += [(fold_phrase(name.strip()), cue) for name in names if name.strip()]
    out += [(phrase, Cue(Level.NONE, exempt=True)) for line in _EXEMPT for phrase in written_out(line)]
    return out


@dataclass(frozen=True)
class MinorCue:
    """The strongest cue of a minor, where it stands in the key, and whether grown persons are spoken of."""

    level: Level
    start: int = 0
    end: int = 0
    adult_context: bool = False


def minor_cue(key: Key, hits: Sequence[Hit]) -> MinorCue:
    """The cue of a minor in a text: words for minors, and ages under eighteen."""
    mine = [hit for hit in hits if isinstance(hit.meaning, Cue)]
    exempt = [hit for hit in mine if hit.meaning.exempt]
    mine = [hit for hit in mine if not any(e.start <= hit.start and hit.end <= e.end for e in exempt)]
    adult = any(hit.meaning.adult for hit in mine)
    best = MinorCue(Level.NONE)
    for hit in mine:
        if hit.meaning.level > best.level:
            best = MinorCue(hit.meaning.level, hit.start, hit.end)
    for start, end, age in _ages(key.text):
        if age >= 18:
            adult = True
        elif best.level < Level.STRONG:
            best = MinorCue(Level.STRONG, start, end)
    return MinorCue(best.level, best.start, best.end, adult)


def _ages(text: str) -> list[tuple[int, int, int]]:
    ages = []
    for pattern in (_AGE, _AGE_SHORT, _AGED):
        for match in pattern.finditer(text):
            number = match["n"]
            years = _UNITS.index(number) + 1 if number in _UNITS else int(number)
            if pattern is _AGE and _MONTHS.search(match.group()):
                years = 1
            if not (pattern is _AGE and _THINGS.match(text, match.end())):
                ages.append((match.start(), match.end(), years))
    return ages


def sexual_level(lexicon_value: float, model_value: float, hits: Sequence[Hit]) -> Level:
    """How sexual a text is for this rule; one suggestive word is enough to be weakly so."""
    if max(lexicon_value, model_value) >= 0.8:
        return Level.STRONG
    suggestive = any(
        isinstance(hit.meaning, Term) and hit.meaning.category == "sexual" and hit.phrase in _SUGGESTIVE for hit in hits
    )
    return Level.WEAK if max(lexicon_value, model_value) >= 0.5 or suggestive else Level.NONE


def conjunction(sexual: Level, minor: Level, adult_context: bool) -> float:
    """The score of the rule: 0 unless both cues are there; weak cues of a minor need a strong sexual one."""
    if sexual is Level.NONE or minor is Level.NONE:
        return 0.0
    if minor is Level.STRONG:
        return 1.0
    return 0.5 if sexual is Level.STRONG and not adult_context else 0.0
