//! Random histories of chains of tokens, and of what they have made, held against a model.

mod expected;

use expected::{Expected, Model, Operation, operation};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use vomeet::domain::{
    Data, Email, Hint, Narrowing, Patch, Scope, Time, TokenChanges, TokenHash, TokenId, TokenTerms,
    UserId,
};
use vomeet::error::Error;
use vomeet::store::{
    CreateToken, CreateUser, MakeToken, Options, RevokeToken, RotateToken, Store, UpdateToken,
};

/// The store beside its model.
struct Pair {
    store: Store,
    model: Model,
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

/// A hash that no other token has.
fn hash(place: usize) -> TokenHash {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&place.to_le_bytes());
    TokenHash(bytes)
}

fn id(place: usize) -> TokenId {
    TokenId(i64::try_from(place).expect("a small number") + 1)
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vomeet.db");
        let options = Options { path, small_readers: 1, long_readers: 1, queue_max: 8 };
        let store = Store::open(&options, |_| {}).expect("a store");
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        let user = CreateUser {
            email: Email::stored("one@example.com".to_owned()),
            name: None,
            image_url: None,
            max_concurrent_bots: 0,
            data: Data::default(),
            now: Time::from_millis(0),
        };
        runtime.block_on(store.write(user)).expect("a user");
        Self { store, model: Model::default(), runtime, folder }
    }

    fn now(&self) -> Time {
        Time::from_millis(self.model.now * 1000)
    }

    /// One of those that ever were.
    fn place(&self, number: u8) -> Option<usize> {
        match self.model.tokens.len() {
            0 => None,
            count => Some(usize::from(number) % count),
        }
    }

    fn create(&mut self, expires_in: Option<u16>) {
        let place = self.model.tokens.len();
        let lifetime = expires_in.map(i64::from);
        let terms = TokenTerms {
            expires_at: lifetime.map(|seconds| self.now().plus_seconds(seconds)),
            ..TokenTerms::default()
        };
        let verb = CreateToken {
            user_id: UserId(1),
            hash: hash(place),
            hint: Hint("AbCd".to_owned()),
            terms,
            now: self.now(),
        };
        let token = self.runtime.block_on(self.store.write(verb)).expect("a token");
        assert_eq!(token.id, id(place));
        let now = self.model.now;
        self.model.add(Expected {
            chain: place,
            maker: None,
            made: now,
            end: lifetime.map(|seconds| now + seconds),
            lifetime,
            disabled: None,
            is_read_only: false,
            is_rotated: false,
            is_gone: false,
            is_rotated_away: false,
        });
    }

    fn make(&mut self, place: usize, expires_in: Option<u16>) {
        let new = self.model.tokens.len();
        let expires_at = expires_in.map(|seconds| self.now().plus_seconds(seconds.into()));
        let expires_at = expires_at.map_or(Patch::Keep, Patch::Set);
        let verb = MakeToken {
            by: id(place),
            hash: hash(new),
            hint: Hint("AbCd".to_owned()),
            terms: TokenChanges { name: Patch::Keep, expires_at, disuse_seconds: Patch::Keep },
            scope: Scope::default(),
            now: self.now(),
        };
        let outcome = self.runtime.block_on(self.store.write(verb));
        let maker = self.model.tokens[place].clone();
        let now = self.model.now;
        let end = expires_in.map(|seconds| now + i64::from(seconds)).or(maker.end);
        let is_wider = maker.end.is_some_and(|most| end.is_none_or(|end| end > most));
        let is_too_often = self.model.made_of_late() >= 5 || self.model.rotations(place) >= 5;
        if maker.is_gone {
            assert!(matches!(outcome, Err(Error::TokenNotFound)), "{outcome:?}");
        } else if maker.disabled.is_some() {
            assert!(matches!(outcome, Err(Error::TokenDisabled)), "{outcome:?}");
        } else if maker.is_read_only {
            assert!(matches!(outcome, Err(Error::NotAllowed(_))), "{outcome:?}");
        } else if is_too_often {
            assert!(matches!(outcome, Err(Error::TooManyRequests { .. })), "{outcome:?}");
        } else if is_wider {
            assert!(matches!(outcome, Err(Error::NotAllowed(_))), "{outcome:?}");
        } else {
            assert_eq!(outcome.expect("a token").id, id(new));
            self.model.add(Expected {
                chain: new,
                maker: Some(maker.chain),
                made: now,
                end,
                lifetime: end.map(|end| end - now),
                is_rotated: false,
                ..maker
            });
        }
    }

    fn rotate(&mut self, place: usize, grace: u16, expires_in: Option<u16>, by_holder: bool) {
        let new = self.model.tokens.len();
        let verb = RotateToken {
            id: id(place),
            hash: hash(new),
            hint: Hint("AbCd".to_owned()),
            grace_seconds: grace.into(),
            expires_in: expires_in.map(i64::from),
            now: self.now(),
            by_holder,
        };
        let outcome = self.runtime.block_on(self.store.write(verb));
        let now = self.model.now;
        let old = self.model.tokens[place].clone();
        if old.is_gone {
            assert!(matches!(outcome, Err(Error::TokenNotFound)), "{outcome:?}");
            return;
        }
        if old.is_rotated {
            assert!(matches!(outcome, Err(Error::TokenReplaced(_))), "{outcome:?}");
            return;
        }
        if old.disabled.is_some() {
            assert!(matches!(outcome, Err(Error::TokenDisabled)), "{outcome:?}");
            return;
        }
        if by_holder && self.model.rotations(place) >= 5 {
            assert!(matches!(outcome, Err(Error::TooManyRequests { .. })), "{outcome:?}");
            return;
        }
        outcome.expect("a rotation");
        let lifetime = expires_in.map(i64::from).or(old.lifetime);
        let mut end = lifetime.map(|seconds| now + seconds);
        if expires_in.is_none()
            && let Some(maker) = old.maker
            && let Some(&newest) = self.model.members(maker).last()
        {
            end = end.into_iter().chain(self.model.tokens[newest].end).min();
        }
        let (chain, end) = if by_holder { (old.chain, old.end) } else { (new, end) };
        let below = self.model.below(place);
        let mut ended = vec![place];
        if !by_holder {
            ended = self.model.members(place);
            ended.extend(&below);
        }
        for at in ended {
            self.model.cut(at, now + i64::from(grace));
            self.model.tokens[at].is_gone = grace == 0;
        }
        self.model.tokens[place].is_rotated = true;
        self.model.tokens[place].is_rotated_away = by_holder && grace == 0;
        if grace == 0 && !by_holder {
            self.forget(place, &below);
        }
        let lifetime = if by_holder { old.lifetime } else { lifetime };
        self.model.add(Expected { chain, made: now, end, lifetime, ..old });
    }

    /// Of a chain that is gone, and of those below it, nothing is found any more.
    fn forget(&mut self, place: usize, below: &[usize]) {
        let chains: Vec<usize> =
            [place].iter().chain(below).map(|&at| self.model.tokens[at].chain).collect();
        for token in self.model.tokens.iter_mut().filter(|token| chains.contains(&token.chain)) {
            token.is_gone = true;
        }
    }

    fn revoke(&mut self, place: usize) {
        let meant = self.model.meant(place);
        let verb = RevokeToken { id: id(place), of_user: None, by: None, now: self.now() };
        let outcome = self.runtime.block_on(self.store.write(verb));
        if meant.is_none() {
            assert!(matches!(outcome, Err(Error::TokenNotFound)), "{outcome:?}");
            return;
        }
        let count = outcome.expect("revoked").count();
        let below = self.model.below(place);
        let expected = self.model.members(place).len() + below.len();
        assert_eq!(count, expected, "of those that were there");
        self.forget(place, &below);
    }

    fn update(
        &mut self,
        place: usize,
        disabled: Option<bool>,
        end: &Patch<u16>,
        read_only: Option<bool>,
    ) {
        let now = self.now();
        let expires_at = end.clone().map(|seconds| now.plus_seconds(seconds.into()));
        let terms = TokenChanges { name: Patch::Keep, expires_at, disuse_seconds: Patch::Keep };
        let narrowing = Narrowing { read_only, ..Narrowing::default() };
        let verb = UpdateToken { id: id(place), terms, narrowing, disabled, now };
        let outcome = self.runtime.block_on(self.store.write(verb));
        let Some(meant) = self.model.meant(place) else {
            assert!(matches!(outcome, Err(Error::TokenNotFound)), "{:?}", outcome.err());
            return;
        };
        let old = self.model.tokens[meant].clone();
        if disabled == Some(false) && self.model.has_disabled_maker(meant) {
            assert!(matches!(outcome, Err(Error::MakerDisabled)), "{:?}", outcome.err());
            return;
        }
        if old.is_read_only && read_only == Some(false) {
            assert!(matches!(outcome, Err(Error::WiderScope)), "{:?}", outcome.err());
            return;
        }
        assert_eq!(outcome.expect("updated").token.id, id(meant));
        let below = self.model.below(meant);
        for at in self.model.members(meant).into_iter().chain(below.iter().copied()) {
            let was_disabled = self.model.tokens[at].disabled;
            let is_enabled = !below.contains(&at) || was_disabled == old.disabled;
            self.model.tokens[at].disabled = match disabled {
                Some(true) => was_disabled.or(Some(self.model.now)),
                Some(false) if is_enabled => None,
                _ => was_disabled,
            };
            self.model.tokens[at].is_read_only |= read_only == Some(true);
            self.set_end(at, at == meant, end);
        }
    }

    /// Sets the end of the token that is meant; another's is only cut.
    fn set_end(&mut self, at: usize, is_meant: bool, end: &Patch<u16>) {
        let lifetime = match end {
            Patch::Keep => return,
            Patch::Clear => None,
            Patch::Set(seconds) => Some(i64::from(*seconds)),
        };
        let wanted = lifetime.map(|seconds| self.model.now + seconds);
        let before = self.model.tokens[at].end;
        match wanted {
            _ if is_meant => self.model.tokens[at].end = wanted,
            Some(wanted) => self.model.cut(at, wanted),
            None => {}
        }
        if is_meant || self.model.tokens[at].end != before {
            self.model.tokens[at].lifetime = lifetime;
        }
    }

    fn step(&mut self, operation: &Operation) {
        let place = |token: u8| self.place(token);
        match *operation {
            Operation::Create { expires_in } => self.create(expires_in),
            Operation::Wait { seconds } => self.model.now += i64::from(seconds),
            Operation::Make { token, expires_in } => {
                let Some(place) = place(token) else { return };
                self.make(place, expires_in);
            }
            Operation::RotateOwn { token, grace } => {
                let Some(place) = place(token) else { return };
                self.rotate(place, grace, None, true);
            }
            Operation::Rotate { token, grace, expires_in } => {
                let Some(place) = place(token) else { return };
                self.rotate(place, grace, expires_in, false);
            }
            Operation::Revoke { token } => {
                let Some(place) = place(token) else { return };
                self.revoke(place);
            }
            Operation::Disable { token, disabled } => {
                let Some(place) = place(token) else { return };
                self.update(place, Some(disabled), &Patch::Keep, None);
            }
            Operation::SetEnd { token, expires_in } => {
                let Some(place) = place(token) else { return };
                self.update(place, None, &expires_in.map_or(Patch::Clear, Patch::Set), None);
            }
            Operation::Narrow { token, read_only } => {
                let Some(place) = place(token) else { return };
                self.update(place, None, &Patch::Keep, Some(read_only));
            }
        }
    }

    /// Holds every token that ever was against its model.
    fn compare(&self) {
        for (place, expected) in self.model.tokens.iter().enumerate() {
            let known = self.store.known_token(&hash(place)).expect("a read");
            if expected.is_gone {
                assert!(known.is_none(), "token {place} is there");
                let ended = self.store.revoked_key(&hash(place)).expect("a read");
                assert!(ended.is_some(), "token {place} is forgotten");
                continue;
            }
            let token = known.unwrap_or_else(|| panic!("token {place} is gone")).token;
            let seconds = |time: Time| time.as_millis() / 1000;
            let times = (token.terms.expires_at.map(seconds), token.disabled_at.map(seconds));
            let seen = (times, token.terms.scope.read_only, token.replaced_by.is_some());
            let times = (expected.end, expected.disabled);
            let wanted = (times, expected.is_read_only, expected.is_rotated);
            assert_eq!(seen, wanted, "token {place}");
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.store.close();
        assert!(self.folder.path().exists(), "the folder lasts as long as the store");
    }
}

#[test]
fn any_history_of_chains_is_as_the_model_says() {
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let histories = prop::collection::vec(operation(), 1..80);
    let outcome = TestRunner::new(config).run(&histories, |operations| {
        let mut pair = Pair::new();
        for operation in &operations {
            pair.step(operation);
            pair.compare();
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
