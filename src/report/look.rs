//! What the place is like that people read at.

use rustix::process::getpgrp;
use rustix::termios::{isatty, tcgetpgrp, tcgetwinsize};

/// Columns of a terminal that does not tell.
const USUAL: usize = 80;

/// How a text is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// With colour.
    pub colour: bool,
    /// The columns of the terminal. `None`: it is a file or a pipe, where a sentence is one line,
    /// so that it can be searched for.
    pub width: Option<usize>,
}

impl Look {
    /// That of files and pipes.
    pub const PLAIN: Self = Self { colour: false, width: None };

    /// That of our stderr.
    pub fn of_stderr(colour: bool) -> Self {
        Self { colour, width: width(std::io::stderr()) }
    }

    /// That of our stdout.
    pub fn of_stdout(colour: bool) -> Self {
        Self { colour, width: width(std::io::stdout()) }
    }
}

/// Where our lines come out.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    stderr: bool,
    colour: bool,
    live: bool,
}

impl Screen {
    /// A file or a pipe.
    pub const PLAIN: Self = Self { stderr: false, colour: false, live: false };

    /// Our stderr, whatever that is. `live`: where it is a terminal that we have to ourselves, a wait
    /// is one line that is written anew.
    pub fn stderr(colour: bool, live: bool) -> Self {
        Self { stderr: true, colour, live }
    }

    /// How it looks now.
    pub fn look(self) -> Look {
        if self.stderr { Look::of_stderr(self.colour) } else { Look { colour: self.colour, width: None } }
    }

    /// Whether it may be drawn on at all.
    pub fn is_live(self) -> bool {
        self.live && isatty(std::io::stderr())
    }

    /// Whether it can be drawn on now: somebody in the background does not know where the cursor is.
    pub fn draws(self) -> bool {
        self.live && tcgetpgrp(std::io::stderr()).is_ok_and(|group| group == getpgrp())
    }
}

/// The columns of a terminal as it is now: it can be resized.
fn width(stream: impl std::os::fd::AsFd) -> Option<usize> {
    isatty(&stream).then(|| match tcgetwinsize(&stream) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => USUAL,
    })
}
