"""What `media` offers."""

from __future__ import annotations

import subprocess
import sys

import media

PUBLIC = {
    *(
        "SMALL_SIDE",
        "AssayError",
        "Encoder",
        "Exposure",
        "Frame",
        "Look",
        "MediaError",
        "Pixels",
        "Tag",
        "Undecodable",
        "UsageError",
        "Video",
    ),
    *("canary_glyph", "encode", "give_back_memory", "probe", "read_image", "sync_folder", "tags", "write_image"),
}


def test_the_public_names_are_these():
    """A name appears in or vanishes from the package only when this list says so."""
    assert set(media.__all__) == PUBLIC


def test_every_public_name_can_be_had():
    """Each name in the list leads to an object."""
    assert all(getattr(media, name) is not None for name in PUBLIC)


def test_the_package_root_loads_no_decoder():
    """Importing the root, its errors and its types stays cheap: PyAV is loaded by whoever decodes."""
    script = "import sys, media; media.Frame, media.MediaError; print(int('av' in sys.modules))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "0"


def test_no_module_hides_a_public_name():
    """A public function stays a function after every module of the package has been imported (none shares its name)."""
    script = (
        "import importlib, pkgutil, media\n"
        "for module in pkgutil.iter_modules(media.__path__): importlib.import_module('media.' + module.name)\n"
        "print(*sorted(name for name in media.__all__ if type(getattr(media, name)).__name__ == 'module'))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""
