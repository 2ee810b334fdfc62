"""The settings: TOML files, checked key by key, into frozen dataclasses.

`settings` is the table of all keys, `kinds` what they take, `files` where they come from.
"""

from prosody_admin.config.files import MAIN_FILE, load, reference, settings_files
from prosody_admin.config.settings import Settings

__all__ = ["MAIN_FILE", "Settings", "load", "reference", "settings_files"]
