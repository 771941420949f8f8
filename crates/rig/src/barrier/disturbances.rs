//! Expires a key that is in use everywhere, while a verifier or a server is disturbed.

use std::time::{Duration, Instant};

use super::callers::{CONNECTIONS, read_verdict};
use super::round::Judged;
use super::stage::{DISTURBED, Expired, Stage};
use keyward_test_support::Wire;

impl Stage {
    /// Expires a key without a disturbance.
    pub fn expire_undisturbed(&mut self) -> Expired {
        let (key, round) = self.use_new_key();
        let mut expired = self.expire(&key);
        expired.calls = round.check(expired.read);
        self.callers.rest();
        expired
    }

    /// One verifier's process is stopped before the expire. It continues when the expire has succeeded,
    /// but not before `at_least` has passed.
    pub fn expire_while_frozen(&mut self, at_least: Duration) -> Expired {
        let frozen = Instant::now();
        self.expire_while(
            |stage| stage.verifiers[DISTURBED].freeze(),
            |stage| {
                // A sleep, because the length of the stop is what matters.
                std::thread::sleep(at_least.saturating_sub(frozen.elapsed()));
                stage.verifiers[DISTURBED].thaw();
            },
        )
    }

    /// Resets one verifier's connections to its server, and all new ones until the expire has
    /// succeeded.
    pub fn expire_while_cut_off(&mut self) -> Expired {
        self.expire_while(|stage| stage.proxies[DISTURBED].refuse(), |stage| stage.proxies[DISTURBED].heal())
    }

    /// Holds back all data between one verifier and its server until the expire has succeeded.
    pub fn expire_while_swallowed(&mut self) -> Expired {
        self.expire_while(|stage| stage.proxies[DISTURBED].swallow(), |stage| stage.proxies[DISTURBED].heal())
    }

    /// Resets one verifier's connections when the expire has been sent. It may reconnect at once.
    pub fn expire_and_cut(&mut self) -> Expired {
        let (key, round) = self.use_new_key();
        let (mut wire, sent) = self.send_expire(&key);
        self.proxies[DISTURBED].cut();
        let mut expired = Expired::of(&wire.answer().expect("an answer"), sent);
        expired.calls = round.check(expired.read);
        self.callers.rest();
        self.await_leases();
        expired
    }

    /// Kills the server `after` the expire was sent to it, and restarts it. Returns whether the expire
    /// had succeeded before; if not, it is sent again.
    pub fn expire_and_kill(&mut self, after: Duration) -> (Expired, bool) {
        let (key, round) = self.use_new_key();
        let (mut wire, sent) = self.send_expire(&key);
        // Spins, because the time is too short for a sleep.
        while sent.elapsed() < after {
            std::hint::spin_loop();
        }
        let server = self.last_asked();
        if let Some(process) = self.servers[server].process.take() {
            process.kill();
        }
        let first = wire.answer().ok().map(|answer| Expired::of(&answer, sent));
        self.start_again(server);
        let succeeded = first.is_some();
        let mut expired = first.unwrap_or_else(|| self.expire(&key));
        expired.calls = round.check(expired.read);
        self.callers.rest();
        self.await_leases();
        (expired, succeeded)
    }

    /// Kills the server while it delays the success of an expire because a verifier is frozen. Then the
    /// verifier continues, the server restarts, and the expire is sent again.
    pub fn expire_and_kill_behind_the_barrier(&mut self) -> Expired {
        let (key, round) = self.use_new_key();
        self.verifiers[DISTURBED].freeze();
        let (mut wire, _) = self.send_expire(&key);
        let server = self.last_asked();
        // Once the server itself rejects the key, only the barrier is left.
        round.await_denial();
        if let Some(process) = self.servers[server].process.take() {
            process.kill();
        }
        assert!(wire.answer().is_err(), "the server must delay the success of the expire");
        self.verifiers[DISTURBED].thaw();
        self.start_again(server);
        let mut expired = self.expire(&key);
        expired.calls = round.check(expired.read);
        self.callers.rest();
        self.await_leases();
        expired
    }

    /// Stops the server gracefully when the expire has been sent to it, and restarts it. Returns
    /// whether the expire had succeeded before; if not, it is sent again.
    pub fn expire_and_stop(&mut self) -> (Expired, bool) {
        let (key, round) = self.use_new_key();
        let (mut wire, sent) = self.send_expire(&key);
        let server = self.last_asked();
        let first = match self.servers[server].process.take() {
            Some(process) => {
                process.tell_to_stop();
                let first = wire.answer().ok().map(|answer| Expired::of(&answer, sent));
                assert!(process.ended().success(), "the server must stop gracefully");
                first
            }
            None => None,
        };
        self.start_again(server);
        let succeeded = first.is_some();
        let mut expired = first.unwrap_or_else(|| self.expire(&key));
        expired.calls = round.check(expired.read);
        self.callers.rest();
        self.await_leases();
        (expired, succeeded)
    }

    /// Disturbs one verifier during the expire and heals it afterwards. After the success it sends
    /// further calls to that verifier.
    fn expire_while(&mut self, disturb: impl FnOnce(&Self), heal: impl FnOnce(&Self)) -> Expired {
        let (key, round) = self.use_new_key();
        disturb(self);
        let mut expired = self.expire(&key);
        let late = (0..CONNECTIONS).map(|_| {
            let mut wire = Wire::connect(self.verifiers[DISTURBED].address()).expect("a connection");
            wire.send_line(&key.secret).expect("a call");
            wire
        });
        let late: Vec<_> = late.collect();
        heal(self);
        for mut wire in late {
            let answer = wire.line().expect("an answer");
            assert_ne!(
                read_verdict(&answer),
                Judged::Accepted,
                "the disturbed verifier must not accept it after the 204"
            );
        }
        expired.calls = round.check(expired.read);
        self.callers.rest();
        self.await_leases();
        expired
    }
}
