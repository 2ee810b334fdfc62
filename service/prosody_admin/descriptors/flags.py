"""The flags of an open file, as the kernel reports them."""

import enum
import os


class OpenFlags(enum.IntFlag):
    """What F_GETFL tells about an open file: its access mode and its status flags (fcntl(2)).

    Left out is what F_GETFL never reports: O_CREAT, O_EXCL, O_NOCTTY and O_TRUNC, which speak
    about the act of opening, and O_CLOEXEC, which belongs to a descriptor and not to the open
    file. Bits without a name here are kept, such as the kernel's own O_LARGEFILE.
    """

    RDONLY = os.O_RDONLY  # 0: no bit to test for, compare `access_mode` with it
    WRONLY = os.O_WRONLY
    RDWR = os.O_RDWR
    ACCMODE = os.O_ACCMODE  # the mask of the three above

    APPEND = os.O_APPEND
    ASYNC = os.O_ASYNC
    DIRECT = os.O_DIRECT
    DIRECTORY = os.O_DIRECTORY
    DSYNC = os.O_DSYNC
    NOATIME = os.O_NOATIME
    NOFOLLOW = os.O_NOFOLLOW
    NONBLOCK = os.O_NONBLOCK
    PATH = os.O_PATH
    SYNC = os.O_SYNC  # two bits, DSYNC one of them
    TMPFILE = os.O_TMPFILE  # two bits, DIRECTORY one of them

    @property
    def access_mode(self) -> "OpenFlags":
        """RDONLY, WRONLY or RDWR.

        ACCMODE itself is Linux's fourth mode, for ioctl only (open(2)). A file of O_PATH reports
        RDONLY and yet cannot be read: look for PATH first.
        """
        return self & OpenFlags.ACCMODE
