//! What may be done to tokens, and what they should be after it.

use proptest::prelude::*;

/// What may be done. Tokens are named by a number that is taken modulo those that ever were.
#[derive(Debug, Clone)]
pub enum Operation {
    Create { expires_in: Option<u16> },
    Make { token: u8, expires_in: Option<u16> },
    RotateOwn { token: u8, grace: u16 },
    Rotate { token: u8, grace: u16, expires_in: Option<u16> },
    Revoke { token: u8 },
    Disable { token: u8, disabled: bool },
    SetEnd { token: u8, expires_in: Option<u16> },
    Narrow { token: u8, read_only: bool },
    Wait { seconds: u16 },
}

pub fn operation() -> impl Strategy<Value = Operation> {
    let span = || proptest::option::of(1u16..5000);
    let grace = || prop_oneof![Just(0u16), 1u16..3600];
    let token = any::<u8>;
    prop_oneof![
        2 => span().prop_map(|expires_in| Operation::Create { expires_in }),
        5 => (token(), span()).prop_map(|(token, expires_in)| Operation::Make { token, expires_in }),
        8 => (token(), grace()).prop_map(|(token, grace)| Operation::RotateOwn { token, grace }),
        2 => (token(), grace(), span())
            .prop_map(|(token, grace, expires_in)| Operation::Rotate { token, grace, expires_in }),
        1 => token().prop_map(|token| Operation::Revoke { token }),
        2 => (token(), any::<bool>())
            .prop_map(|(token, disabled)| Operation::Disable { token, disabled }),
        2 => (token(), span())
            .prop_map(|(token, expires_in)| Operation::SetEnd { token, expires_in }),
        1 => (token(), any::<bool>())
            .prop_map(|(token, read_only)| Operation::Narrow { token, read_only }),
        3 => (1u16..2000).prop_map(|seconds| Operation::Wait { seconds }),
    ]
}

/// A token as it should be; times are seconds.
#[expect(clippy::struct_excessive_bools, reason = "each is true or not, whatever the others are")]
#[derive(Debug, Clone)]
pub struct Expected {
    /// The place of the first token of its chain.
    pub chain: usize,
    /// The place of the first token of the chain whose holder made it.
    pub maker: Option<usize>,
    pub made: i64,
    pub end: Option<i64>,
    pub lifetime: Option<i64>,
    pub disabled: Option<i64>,
    pub is_read_only: bool,
    pub is_rotated: bool,
    /// Whether it was revoked: by its holder's rotation, or for good.
    pub is_gone: bool,
    /// Whether its holder rotated it away, so that the newest of its chain counts in its place.
    pub is_rotated_away: bool,
}

/// Every token that ever was, in the order of their ids, which begin with 1.
#[derive(Default)]
pub struct Model {
    pub tokens: Vec<Expected>,
    pub now: i64,
}

impl Model {
    pub fn members(&self, place: usize) -> Vec<usize> {
        let chain = self.tokens[place].chain;
        let is_member = |at: &usize| self.tokens[*at].chain == chain && !self.tokens[*at].is_gone;
        (0..self.tokens.len()).filter(is_member).collect()
    }

    /// Those that its chain has made, and those that they have made.
    pub fn below(&self, place: usize) -> Vec<usize> {
        let mut chains = vec![self.tokens[place].chain];
        let mut found = Vec::new();
        // The first token of a chain is older than what the chain has made, whether it is there or
        // not.
        for (at, token) in self.tokens.iter().enumerate() {
            if token.maker.is_some_and(|maker| chains.contains(&maker)) {
                chains.push(token.chain);
                if !token.is_gone {
                    found.push(at);
                }
            }
        }
        found
    }

    /// How many tokens holders have made in the last hour, of the one user that there is.
    pub fn made_of_late(&self) -> usize {
        let late = self.tokens.iter().filter(|token| token.made > self.now - 3600);
        late.filter(|token| token.maker.is_some() && !token.is_rotated_away).count()
    }

    /// Whether the token that made it is disabled.
    pub fn has_disabled_maker(&self, place: usize) -> bool {
        let Some(maker) = self.tokens[place].maker else { return false };
        self.members(maker).iter().any(|&at| self.tokens[at].disabled.is_some())
    }

    /// The token that is meant: itself, or the newest of its chain where its holder rotated it.
    pub fn meant(&self, place: usize) -> Option<usize> {
        let token = &self.tokens[place];
        match token.is_gone {
            false => Some(place),
            true if token.is_rotated => self.members(place).last().copied(),
            true => None,
        }
    }

    pub fn rotations(&self, place: usize) -> usize {
        let chain = self.tokens[place].chain;
        let is_late = |token: &&Expected| token.made > self.now - 3600;
        let (mut rotations, mut made) = (0, 0);
        for (at, token) in self.tokens.iter().enumerate().filter(|(_, token)| is_late(token)) {
            rotations += usize::from(token.chain == chain && at != chain);
            let is_made = token.maker == Some(chain) && token.chain == at;
            made += usize::from(is_made && !token.is_gone);
        }
        rotations + made
    }

    pub fn add(&mut self, token: Expected) {
        self.tokens.push(token);
    }

    pub fn cut(&mut self, place: usize, end: i64) {
        let before = self.tokens[place].end;
        self.tokens[place].end = Some(before.map_or(end, |before| before.min(end)));
    }
}
