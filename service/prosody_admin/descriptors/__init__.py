"""Who owns a file descriptor, and when its number may be used again.

After `rust/kernel/file.rs` of Linux: a `File` owns one descriptor and is the only one to close it;
`clone` makes a second owner of the same open file; `borrow` lends the number without the right to
close it. A `FileDescriptorReservation` holds a number free before there is anything to put there,
and a `DeferredFdCloser` closes only once the event loop has run what was queued for the number.
Every descriptor made here is close-on-exec from its first moment.
"""

from prosody_admin.descriptors.closer import CLOSE_DEADLINE, DeferredFdCloser
from prosody_admin.descriptors.file import Credential, File
from prosody_admin.descriptors.flags import OpenFlags
from prosody_admin.descriptors.reservation import FileDescriptorReservation

__all__ = [
    "CLOSE_DEADLINE",
    "Credential",
    "DeferredFdCloser",
    "File",
    "FileDescriptorReservation",
    "OpenFlags",
]
