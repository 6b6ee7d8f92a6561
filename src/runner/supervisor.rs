//! Tells systemd how the daemon is, if it runs as a service of `Type=notify`. Elsewhere, nothing happens.

use sd_notify::NotifyState;

pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The watchdog of the service waits for this. `status` is what `systemctl status` shows.
pub fn alive(status: &str) {
    notify(&[NotifyState::Watchdog, NotifyState::Status(status)]);
}

pub fn reloading() {
    let mut state = vec![NotifyState::Reloading];
    state.extend(NotifyState::monotonic_usec_now());
    notify(&state);
}

pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(why) = sd_notify::notify(state) {
        tracing::debug!("systemd could not be notified: {why}");
    }
}
