"""The recordings that keyframes are measured on: talks and meetings as they come, each a script for `recordings.py`."""

from __future__ import annotations

from phidex.eval.bench.recordings import Kind, Script

_OPENING: tuple[Kind, ...] = ("slide", "slide", "build", "slide", "slide", "revisit")
_TALK: tuple[Kind, ...] = (*_OPENING, "slide", "slide", "build", "slide", "slide", "slide")

SCRIPTS = (
    Script("light-corner", (*_TALK, "scroll", "slide", "slide", "revisit"), 1, inset="corner", transition="fade", flashes=6),
    Script(
        "dark-head", (*_TALK, "slide", "build"), 2, rate=30, theme="dark", inset="head", transition="push", cursor=True, crf=33
    ),
    Script(
        "beige-camera",
        ("camera", *_TALK, "camera", "slide", "slide", "camera", "slide"),
        3,
        rate=24,
        theme="beige",
        inset="corner",
    ),
    Script(
        "blue-gallery",
        (*_TALK, "scroll", "slide", "scroll"),
        4,
        rate=15,
        theme="blue",
        inset="gallery",
        cursor=True,
        group=1000,
    ),
    Script(
        "whiteboard",
        ("slide", "board", "slide", "board", "board", "slide", "revisit"),
        5,
        rate=15,
        theme="plain",
        inset="corner",
    ),
    Script(
        "low-bitrate",
        (*_TALK, "revisit"),
        6,
        960,
        540,
        theme="corporate",
        crf=38,
        transition="fade",
        inset="wandering",
        flashes=5,
    ),
    Script(
        "plain-film",
        ("slide", "film", "slide", "slide", "film", "slide", "build", "revisit", "slide"),
        7,
        854,
        480,
        theme="plain",
        cursor=True,
    ),
    Script("small-fades", _TALK, 8, 640, 360, 30, theme="corporate", transition="fade", crf=30, flashes=4, group=60),
    Script("vp9-dark", _TALK[:8], 9, 960, 540, 12, theme="dark", codec="libvpx-vp9", suffix=".webm", inset="head"),
    Script(
        "no-inset", (*_TALK, "board", "slide", "camera", "slide"), 10, theme="light", flashes=6, transition="push", group=500
    ),
    Script(
        "once-held-gallery",
        ("slide", "revisit", *_TALK, "scroll", "slide", "camera", "slide"),
        101,
        rate=20,
        theme="beige",
        inset="gallery",
        transition="fade",
        cursor=True,
        flashes=4,
        crf=31,
    ),
    Script(
        "once-held-dark",
        (*_TALK, "camera", "slide", "board", "slide", "revisit"),
        102,
        theme="blue",
        crf=35,
        group=900,
        transition="fade",
        flashes=5,
    ),
    Script(
        "once-held-corporate",
        (*_TALK, "film", "scroll", "slide"),
        103,
        1024,
        576,
        24,
        theme="corporate",
        inset="wandering",
        transition="push",
        flashes=5,
        cursor=True,
    ),
)
"""For development. The last three were held out at first (49 of 50 starts found, 2 wrong ones), and were then looked at."""

HELD_OUT = (
    Script(
        "held-meeting",
        (
            "camera",
            "slide",
            "build",
            "slide",
            "revisit",
            "scroll",
            "slide",
            "film",
            "board",
            "slide",
            "camera",
            "slide",
            "revisit",
        ),
        211,
        rate=25,
        theme="light",
        inset="gallery",
        transition="push",
        cursor=True,
        flashes=5,
        crf=30,
    ),
    Script(
        "held-lecture",
        ("slide", "slide", "board", "board", "slide", "build", "revisit", "slide", "slide", "camera", "slide", "revisit"),
        212,
        848,
        480,
        30,
        theme="dark",
        crf=36,
        group=120,
        inset="corner",
        transition="fade",
        flashes=5,
    ),
    Script(
        "held-screen",
        ("slide", "scroll", "slide", "scroll", "build", "slide", "slide", "film", "revisit", "slide", "slide"),
        213,
        1152,
        648,
        20,
        theme="corporate",
        inset="head",
        transition="fade",
        flashes=6,
        cursor=True,
        group=600,
    ),
)
"""Scored once, when the method was done; not looked at before."""

LONG = Script(
    "long-talk", (*_TALK, "scroll", *_TALK, "slide"), 50, scene_s=(22.0, 60.0), inset="corner", transition="fade", flashes=6
)
"""720p at 25 fps, some 19 minutes: what speed and memory are measured on."""
