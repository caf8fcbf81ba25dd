//! The one home of `unsafe`: signal dispositions and masks, what a child does between `fork` and
//! `exec`, ids that may be 0, and waiting for a descriptor. Neither the standard library nor `rustix`
//! offers these.
#![allow(
    unsafe_code,
    reason = "signal dispositions, pre_exec, ids of 0 and the runtime's poll have no safe interface"
)]

use std::io;
use std::mem::MaybeUninit;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use rustix::process::Pid;
#[cfg(target_os = "linux")]
use tokio::io::unix::AsyncFd;

/// What a signal did before [`ignore`] changed it; [`restore`] brings it back.
pub(crate) struct Disposition {
    signal: libc::c_int,
    action: libc::sigaction,
}

/// Whether the signal is ignored at present.
pub(crate) fn is_ignored(signal: libc::c_int) -> io::Result<bool> {
    Ok(current(signal)?.sa_sigaction == libc::SIG_IGN)
}

/// Ignores the signal from now on.
pub(crate) fn ignore(signal: libc::c_int) -> io::Result<Disposition> {
    let action = current(signal)?;
    set_handler(signal, libc::SIG_IGN)?;
    Ok(Disposition { signal, action })
}

/// Does with us what the signal does by default, though we catch it: SIGTSTP stops us, unless
/// nobody is there who could let us go on. Comes back when we do.
pub(crate) fn by_default(signal: libc::c_int) -> io::Result<()> {
    let action = current(signal)?;
    set_handler(signal, libc::SIG_DFL)?;
    // SAFETY: it takes no pointer, and the default action runs no code of ours. Sent to this thread,
    // the signal is acted on before this returns.
    let raised = check(unsafe { libc::raise(signal) });
    restore(&Disposition { signal, action });
    raised
}

/// Brings back what the signal did before.
pub(crate) fn restore(saved: &Disposition) {
    // SAFETY: the action was filled in by sigaction(2) for this very signal. A null third argument
    // asks for nothing back.
    unsafe { libc::sigaction(saved.signal, &raw const saved.action, ptr::null_mut()) };
}

fn current(signal: libc::c_int) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null second argument changes nothing; the third points to memory of the right type.
    check(unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) })?;
    // SAFETY: zeroed bytes are a valid sigaction, and the call that succeeded has filled it in.
    Ok(unsafe { action.assume_init() })
}

/// Async-signal-safe: it runs between fork and exec too.
fn set_handler(signal: libc::c_int, handler: libc::sighandler_t) -> io::Result<()> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeroed bytes are a valid sigaction with an empty mask and no flags. Only SIG_IGN and
    // SIG_DFL are ever given as the handler, so that no code of ours can run in a signal's context.
    unsafe {
        (*action.as_mut_ptr()).sa_sigaction = handler;
        check(libc::sigaction(signal, action.as_ptr(), ptr::null_mut()))
    }
}

/// Lets the signals through in this thread, and in those that it starts from now on. Some parents
/// leave a mask behind that would keep a stop signal from us for ever.
pub(crate) fn unblock(signals: &[libc::c_int]) -> io::Result<()> {
    change_mask(libc::SIG_UNBLOCK, &set_of(signals)).map(drop)
}

/// Runs `f` with SIGTTOU blocked in this thread: a change to the terminal by a process outside its
/// foreground group then takes effect instead of stopping us.
pub(crate) fn without_ttou<T>(f: impl FnOnce() -> T) -> T {
    let before = change_mask(libc::SIG_BLOCK, &set_of(&[libc::SIGTTOU]));
    let result = f();
    if let Ok(before) = before {
        // A mask that was in force a moment ago cannot be refused.
        let _ = change_mask(libc::SIG_SETMASK, &before);
    }
    result
}

fn set_of(signals: &[libc::c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigemptyset initialises the set before anything reads it; sigaddset is given that set
    // and at worst refuses a number that is no signal.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

fn change_mask(how: libc::c_int, set: &libc::sigset_t) -> io::Result<libc::sigset_t> {
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: both pointers are to sets of the right type, alive for the call.
    match unsafe { libc::pthread_sigmask(how, ptr::from_ref(set), before.as_mut_ptr()) } {
        // SAFETY: zeroed bytes are a valid set, and the call that succeeded has filled it in.
        0 => Ok(unsafe { before.assume_init() }),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Our process group, 0 when its leader is outside of our process namespace, as it may be in a
/// container. The wrappers of `rustix` do not expect that.
pub(crate) fn own_group() -> i32 {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::getpgrp() }
}

/// Our session, 0 when its leader is outside of our process namespace.
pub(crate) fn own_session() -> i32 {
    // SAFETY: it takes no pointer, and cannot fail for ourselves.
    unsafe { libc::getsid(0) }
}

/// The group of a process that we can see.
pub(crate) fn group_of(pid: Pid) -> Option<Pid> {
    // SAFETY: it takes no pointer.
    positive(unsafe { libc::getpgid(pid.as_raw_nonzero().get()) })
}

/// The session whose controlling terminal this is: ours, or 0 when its leader is outside of our
/// process namespace. `None` for anything else.
pub(crate) fn session_of_terminal(fd: BorrowedFd<'_>) -> Option<i32> {
    // SAFETY: it takes no pointer, and the descriptor is open.
    let session = unsafe { libc::tcgetsid(fd.as_raw_fd()) };
    (session != -1).then_some(session)
}

/// A process id, unless the number stands for a failure or for a stranger.
pub(crate) fn positive(id: i32) -> Option<Pid> {
    if id > 0 { Pid::from_raw(id) } else { None }
}

/// Signals that the child gets with their default action, also when we inherited them ignored: it
/// has to be stoppable, and Terraform's own children must be too.
const DEFAULT: [libc::c_int; 7] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGCHLD, libc::SIGPIPE, libc::SIGTTIN, libc::SIGTTOU];

/// Signals that the child ignores: SIGHUP kills Terraform with its state lock left behind, and we
/// turn it into a SIGINT; a child frozen by SIGTSTP would hold the lock for as long as it sleeps.
const IGNORED: [libc::c_int; 2] = [libc::SIGHUP, libc::SIGTSTP];

/// Puts the child's signals in order before it runs and, given the terminal's descriptor, makes
/// the child's group its foreground group. `spawn` of the standard library returns after the
/// `exec`, so that the terminal is the child's by then. The descriptor must stay open until that.
///
/// `leashed`: on Linux, the child is killed when the thread dies that starts it.
pub(crate) fn prepare(command: &mut Command, terminal: Option<RawFd>, leashed: bool) {
    let empty = set_of(&[]);
    let in_child = move || {
        // Before the terminal is taken: our handlers are still in place here, and would swallow a
        // Ctrl-C that belongs to the child.
        for signal in DEFAULT {
            set_handler(signal, libc::SIG_DFL)?;
        }
        for signal in IGNORED {
            set_handler(signal, libc::SIG_IGN)?;
        }
        if let Some(fd) = terminal {
            // The child's group is in the background until this call has succeeded.
            set_handler(libc::SIGTTOU, libc::SIG_IGN)?;
            // SAFETY: both calls are async-signal-safe and take no pointers; the caller keeps the
            // descriptor open.
            check(unsafe { libc::tcsetpgrp(fd, libc::getpid()) })?;
            set_handler(libc::SIGTTOU, libc::SIG_DFL)?;
        }
        #[cfg(target_os = "linux")]
        if leashed {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        }
        change_mask(libc::SIG_SETMASK, &empty).map(drop)
    };
    #[cfg(not(target_os = "linux"))]
    let _ = leashed;
    // SAFETY: the closure calls only async-signal-safe functions (sigaction, tcsetpgrp, getpid, prctl,
    // pthread_sigmask), allocates nothing (an io::Error of an errno does not) and takes no lock.
    unsafe { command.pre_exec(in_child) };
}

/// Keeps every descriptor above the three standard streams from the children that we start, also those
/// that we have inherited from somebody who did not. Where the system cannot do that it is done without.
pub(crate) fn keep_descriptors() {
    #[cfg(target_os = "linux")]
    {
        let flags = libc::CLOSE_RANGE_CLOEXEC as libc::c_int;
        // SAFETY: nothing is closed and no pointer is taken: the flag of descriptors is set, of those
        // that there are.
        unsafe { libc::close_range(3, libc::c_uint::MAX, flags) };
    }
}

/// Signals that ask a program to end. Some CI runners send them to every process that they find.
const ENDING: [libc::c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// Starts the command in a session of its own, out of reach of our terminal and our group's
/// signals, deaf to those that ask it to end from its first instruction on.
pub(crate) fn detach(command: &mut Command) {
    let empty = set_of(&[]);
    let in_child = move || {
        for signal in ENDING {
            set_handler(signal, libc::SIG_IGN)?;
        }
        // SAFETY: the call is async-signal-safe and takes no arguments.
        check(unsafe { libc::setsid() })?;
        change_mask(libc::SIG_SETMASK, &empty).map(drop)
    };
    // SAFETY: the closure calls only async-signal-safe functions (sigaction, setsid,
    // pthread_sigmask), allocates nothing and takes no lock.
    unsafe { command.pre_exec(in_child) };
}

/// `fd` for [`AsyncFd::readable`].
///
/// # Errors
/// Outside of a runtime, and when the system refuses.
#[cfg(target_os = "linux")]
pub(crate) fn awaitable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    use tokio::io::Interest;
    tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
    // SAFETY: it is owned, so it is open and stays the same until it is dropped, with what it was registered in.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)
}
