# ruff: noqa: RUF001 - Chinese has its own punctuation
"""The words of the shoppers' page, in each of its languages."""

from collections.abc import Mapping
from dataclasses import dataclass

LANGUAGES = ("en", "de", "zh")


@dataclass(frozen=True, slots=True)
class Words:
    title: str
    at: str
    simulated: str
    measured: str
    measured_lines: tuple[str, ...]
    never: str
    never_lines: tuple[str, ...]
    why: str
    shows: str
    nothing: str
    reasons: Mapping[str, str]
    record: str
    ask: str
    staff: str
    language: str


_EN = Words(
    title="What is measured here",
    at="at {store}",
    simulated="This store is simulated: nobody is measured.",
    measured="What is measured",
    measured_lines=(
        "How many people pass a shelf or a screen, and how long they stay.",
        "Which way faces point: an estimate of what is looked at, not of who looks.",
        "What is sold, as the till counts it, without a name.",
    ),
    never="What is not",
    never_lines=(
        "Nobody is recognised. No face is compared with another one.",
        "No picture of a person is stored, and none leaves the camera's computer.",
        "No price and no offer depends on who is looking.",
    ),
    why="Why the screen shows this",
    shows="It shows “{title}”.",
    nothing="It shows nothing that was chosen for anybody.",
    reasons={
        "attention": "People were looking at a shelf nearby.",
        "learned": "At moments like this one it was looked at the longest.",
        "rotation": "It was its turn.",
        "control": "It was its turn: for now this screen does not react, to compare.",
        "fallback": "It was its turn: the screen is on its own for now.",
    },
    record="As the record of this decision says it:",
    ask="Whom to ask",
    staff="Ask the staff of this store.",
    language="English",
)
_DE = Words(
    title="Was hier gemessen wird",
    at="bei {store}",
    simulated="Dieser Laden ist simuliert: Niemand wird gemessen.",
    measured="Was gemessen wird",
    measured_lines=(
        "Wie viele Menschen an einem Regal oder Bildschirm vorbeigehen und wie lange sie bleiben.",
        "Wohin Gesichter gerichtet sind: eine Schätzung, was angesehen wird, nicht wer es ansieht.",
        "Was verkauft wird, wie die Kasse es zählt, ohne Namen.",
    ),
    never="Was nicht",
    never_lines=(
        "Niemand wird erkannt. Kein Gesicht wird mit einem anderen verglichen.",
        "Kein Bild eines Menschen wird gespeichert, und keines verlässt den Rechner der Kamera.",
        "Kein Preis und kein Angebot hängt davon ab, wer hinsieht.",
    ),
    why="Warum der Bildschirm das zeigt",
    shows="Er zeigt „{title}“.",
    nothing="Er zeigt nichts, das für jemanden ausgewählt wurde.",
    reasons={
        "attention": "Menschen sahen sich ein Regal in der Nähe an.",
        "learned": "In solchen Momenten wurde es am längsten angesehen.",
        "rotation": "Es war an der Reihe.",
        "control": "Es war an der Reihe: Zum Vergleich reagiert dieser Bildschirm gerade nicht.",
        "fallback": "Es war an der Reihe: Der Bildschirm ist gerade auf sich gestellt.",
    },
    record="So steht es in der Aufzeichnung dieser Entscheidung (englisch):",
    ask="Wen man fragen kann",
    staff="Fragen Sie das Personal dieses Ladens.",
    language="Deutsch",
)
_ZH = Words(
    title="这里测量什么",
    at="{store}",
    simulated="这是一家模拟商店：没有测量任何人。",
    measured="测量的内容",
    measured_lines=(
        "经过货架或屏幕的人数，以及停留的时间。",
        "面部的朝向：估计人们在看什么，而不是谁在看。",
        "收银机统计的销售情况，不含姓名。",
    ),
    never="不测量的内容",
    never_lines=(
        "不识别任何人，不将任何面孔与其他面孔比对。",
        "不保存任何人的图像，图像也不会离开摄像头的计算机。",
        "任何价格和优惠都不取决于谁在看。",
    ),
    why="屏幕为什么显示这些内容",
    shows="正在显示：“{title}”。",
    nothing="当前没有为任何人挑选内容。",
    reasons={
        "attention": "有人在看附近的货架。",
        "learned": "在类似的时刻，它被观看的时间最长。",
        "rotation": "轮到它显示。",
        "control": "轮到它显示：为了对比，此屏幕暂时不作反应。",
        "fallback": "轮到它显示：屏幕暂时独立运行。",
    },
    record="这一决定的记录原文（英文）：",
    ask="向谁询问",
    staff="请询问本店工作人员。",
    language="中文",
)
WORDS = dict(zip(LANGUAGES, (_EN, _DE, _ZH), strict=True))
