//! Random histories of chains of tokens, held against a model.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use vomeet::domain::{
    Data, Email, Hint, Narrowing, Patch, Time, TokenChanges, TokenHash, TokenId, TokenTerms, UserId,
};
use vomeet::error::Error;
use vomeet::store::{
    CreateToken, CreateUser, Options, RevokeToken, RotateToken, Store, UpdateToken,
};

/// What may be done. Tokens are named by a number that is taken modulo those that ever were.
#[derive(Debug, Clone)]
enum Operation {
    Create { expires_in: Option<u16> },
    RotateOwn { token: u8, grace: u16 },
    Rotate { token: u8, grace: u16, expires_in: Option<u16> },
    Revoke { token: u8 },
    Disable { token: u8, disabled: bool },
    SetEnd { token: u8, expires_in: Option<u16> },
    Wait { seconds: u16 },
}

fn operation() -> impl Strategy<Value = Operation> {
    let span = || proptest::option::of(1u16..5000);
    let grace = || prop_oneof![Just(0u16), 1u16..3600];
    let token = any::<u8>;
    prop_oneof![
        2 => span().prop_map(|expires_in| Operation::Create { expires_in }),
        8 => (token(), grace()).prop_map(|(token, grace)| Operation::RotateOwn { token, grace }),
        2 => (token(), grace(), span())
            .prop_map(|(token, grace, expires_in)| Operation::Rotate { token, grace, expires_in }),
        1 => token().prop_map(|token| Operation::Revoke { token }),
        2 => (token(), any::<bool>())
            .prop_map(|(token, disabled)| Operation::Disable { token, disabled }),
        2 => (token(), span())
            .prop_map(|(token, expires_in)| Operation::SetEnd { token, expires_in }),
        3 => (1u16..2000).prop_map(|seconds| Operation::Wait { seconds }),
    ]
}

/// A token as it should be; times are seconds.
#[derive(Debug, Clone)]
struct Expected {
    /// The place of the first token of its chain.
    chain: usize,
    made: i64,
    end: Option<i64>,
    lifetime: Option<i64>,
    is_disabled: bool,
    is_rotated: bool,
    /// Whether it was revoked: by its holder's rotation, or for good.
    is_gone: bool,
}

/// Every token that ever was, in the order of their ids, which begin with 1.
#[derive(Default)]
struct Model {
    tokens: Vec<Expected>,
    now: i64,
}

impl Model {
    fn members(&self, place: usize) -> Vec<usize> {
        let chain = self.tokens[place].chain;
        let is_member = |at: &usize| self.tokens[*at].chain == chain && !self.tokens[*at].is_gone;
        (0..self.tokens.len()).filter(is_member).collect()
    }

    /// The token that is meant: itself, or the newest of its chain where its holder rotated it.
    fn meant(&self, place: usize) -> Option<usize> {
        let token = &self.tokens[place];
        match token.is_gone {
            false => Some(place),
            true if token.is_rotated => self.members(place).last().copied(),
            true => None,
        }
    }

    fn rotations(&self, place: usize) -> usize {
        let chain = self.tokens[place].chain;
        let others = self.tokens.iter().enumerate().filter(|(at, _)| *at != chain);
        others.filter(|(_, token)| token.chain == chain && token.made > self.now - 3600).count()
    }

    fn add(&mut self, token: Expected) {
        self.tokens.push(token);
    }

    fn cut(&mut self, place: usize, end: i64) {
        let before = self.tokens[place].end;
        self.tokens[place].end = Some(before.map_or(end, |before| before.min(end)));
    }
}

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
            made: now,
            end: lifetime.map(|seconds| now + seconds),
            lifetime,
            is_disabled: false,
            is_rotated: false,
            is_gone: false,
        });
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
        if old.is_disabled {
            assert!(matches!(outcome, Err(Error::TokenDisabled)), "{outcome:?}");
            return;
        }
        if by_holder && self.model.rotations(place) >= 5 {
            assert!(matches!(outcome, Err(Error::TooManyRequests { .. })), "{outcome:?}");
            return;
        }
        outcome.expect("a rotation");
        let lifetime = expires_in.map(i64::from).or(old.lifetime);
        let (chain, end) = match by_holder {
            true => (old.chain, old.end),
            false => (new, lifetime.map(|seconds| now + seconds)),
        };
        let ended = if by_holder { vec![place] } else { self.model.members(place) };
        for at in ended {
            self.model.cut(at, now + i64::from(grace));
            self.model.tokens[at].is_gone = grace == 0;
        }
        self.model.tokens[place].is_rotated = true;
        if grace == 0 && !by_holder {
            self.forget(place);
        }
        let lifetime = if by_holder { old.lifetime } else { lifetime };
        self.model.add(Expected { chain, made: now, end, lifetime, ..old });
    }

    /// Of a chain that is gone nothing is found any more.
    fn forget(&mut self, place: usize) {
        let chain = self.model.tokens[place].chain;
        for token in self.model.tokens.iter_mut().filter(|token| token.chain == chain) {
            token.is_gone = true;
        }
    }

    fn revoke(&mut self, place: usize) {
        let meant = self.model.meant(place);
        let verb = RevokeToken { id: id(place), of_user: None, now: self.now() };
        let outcome = self.runtime.block_on(self.store.write(verb));
        if meant.is_none() {
            assert!(matches!(outcome, Err(Error::TokenNotFound)), "{outcome:?}");
            return;
        }
        let count = outcome.expect("revoked").count();
        assert_eq!(count, self.model.members(place).len(), "of those that were there");
        self.forget(place);
    }

    fn update(&mut self, place: usize, disabled: Option<bool>, end: &Patch<u16>) {
        let now = self.now();
        let expires_at = end.clone().map(|seconds| now.plus_seconds(seconds.into()));
        let terms = TokenChanges { name: Patch::Keep, expires_at, disuse_seconds: Patch::Keep };
        let verb =
            UpdateToken { id: id(place), terms, narrowing: Narrowing::default(), disabled, now };
        let outcome = self.runtime.block_on(self.store.write(verb));
        let Some(meant) = self.model.meant(place) else {
            assert!(matches!(outcome, Err(Error::TokenNotFound)), "{:?}", outcome.err());
            return;
        };
        assert_eq!(outcome.expect("updated").token.id, id(meant));
        for at in self.model.members(place) {
            if let Some(disabled) = disabled {
                self.model.tokens[at].is_disabled = disabled;
            }
            let lifetime = match end {
                Patch::Keep => continue,
                Patch::Clear => None,
                Patch::Set(seconds) => Some(i64::from(*seconds)),
            };
            let wanted = lifetime.map(|seconds| self.model.now + seconds);
            let before = self.model.tokens[at].end;
            match wanted {
                _ if at == meant => self.model.tokens[at].end = wanted,
                Some(wanted) => self.model.cut(at, wanted),
                None => {}
            }
            if at == meant || self.model.tokens[at].end != before {
                self.model.tokens[at].lifetime = lifetime;
            }
        }
    }

    fn step(&mut self, operation: &Operation) {
        match *operation {
            Operation::Create { expires_in } => self.create(expires_in),
            Operation::Wait { seconds } => self.model.now += i64::from(seconds),
            Operation::RotateOwn { token, grace } => {
                let Some(place) = self.place(token) else { return };
                self.rotate(place, grace, None, true);
            }
            Operation::Rotate { token, grace, expires_in } => {
                let Some(place) = self.place(token) else { return };
                self.rotate(place, grace, expires_in, false);
            }
            Operation::Revoke { token } => {
                let Some(place) = self.place(token) else { return };
                self.revoke(place);
            }
            Operation::Disable { token, disabled } => {
                let Some(place) = self.place(token) else { return };
                self.update(place, Some(disabled), &Patch::Keep);
            }
            Operation::SetEnd { token, expires_in } => {
                let Some(place) = self.place(token) else { return };
                self.update(place, None, &expires_in.map_or(Patch::Clear, Patch::Set));
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
            let end = token.terms.expires_at.map(|end| end.as_millis() / 1000);
            let seen = (end, token.disabled_at.is_some(), token.replaced_by.is_some());
            let wanted = (expected.end, expected.is_disabled, expected.is_rotated);
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
    let histories = prop::collection::vec(operation(), 1..60);
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
