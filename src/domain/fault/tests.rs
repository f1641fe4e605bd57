//! Each fault once: what leads to it, and what is said of it.

#![cfg(test)]

use super::*;
use crate::domain::meeting::MeetingStatus::{
    Active, AwaitingAdmission, Completed, Failed, Joining, Requested, Scheduled,
};

/// A meeting that went well.
fn good() -> Facts {
    Facts {
        status: Completed.into(),
        was_active: true,
        failure_stage: None,
        completion_reason: Some(CompletionReason::Stopped),
        is_redacted: false,
        has_engine: true,
        has_language: false,
        recording_waits: false,
        recording_error: None,
        sounds: 1,
        heard_ms: 600_000,
        behind_ms: 0,
        waiting: 0,
        waiting_since: None,
        last_error: None,
        given_up: 0,
        withheld: 0,
        doubted: 0,
        withheld_segments: 0,
        segments: 40,
        named: 40,
        lost_events: 0,
    }
}

/// One whose bot was never in it.
fn outside(status: MeetingStatus) -> Facts {
    let none = Facts { sounds: 0, heard_ms: 0, segments: 0, named: 0, ..good() };
    Facts { status: status.into(), was_active: false, completion_reason: None, ..none }
}

/// One that is heard and has no words.
fn wordless() -> Facts {
    Facts { segments: 0, named: 0, ..good() }
}

/// Each fault with what leads to it.
fn table() -> Vec<(Fault, Facts)> {
    let refused = Some(CompletionReason::AwaitingAdmissionTimeout);
    let stage = |stage| Facts { failure_stage: Some(stage), ..outside(Failed) };
    let error = Some("the engine speaches answers with status 401.".to_owned());
    let since = Some(Time::from_millis(1_760_097_600_000));
    let silent = || Facts { sounds: 0, heard_ms: 0, ..wordless() };
    let withheld = || Facts { withheld: 5, withheld_segments: 5, ..wordless() };
    vec![
        (Fault::None, good()),
        (Fault::None, Facts { sounds: 0, heard_ms: 0, has_engine: false, ..good() }),
        (Fault::None, Facts { status: Active.into(), waiting: 1, behind_ms: 9000, ..good() }),
        (Fault::None, Facts { withheld: 5, ..good() }),
        (Fault::Deleted, Facts { is_redacted: true, ..outside(Completed) }),
        (Fault::Planned, outside(Scheduled)),
        (Fault::OnItsWay, outside(Requested)),
        (Fault::OnItsWay, outside(Joining)),
        (Fault::AwaitsAdmission, outside(AwaitingAdmission)),
        (Fault::NotAdmitted, Facts { completion_reason: refused, ..outside(Completed) }),
        (Fault::NotAdmitted, stage(FailureStage::AwaitingAdmission)),
        (Fault::NotJoined, stage(FailureStage::Joining)),
        (Fault::NotStarted, stage(FailureStage::Requested)),
        (Fault::NotStarted, outside(Failed)),
        (Fault::LeftEarly, outside(Completed)),
        (Fault::RecordingWaits, Facts { recording_waits: true, ..silent() }),
        (
            Fault::RecordingWaits,
            Facts { recording_waits: true, recording_error: error.clone(), ..silent() },
        ),
        (Fault::RecordingGivenUp, Facts { recording_error: error.clone(), ..silent() }),
        (Fault::NoEngine, Facts { has_engine: false, behind_ms: 600_000, ..wordless() }),
        (Fault::EngineAway, Facts { behind_ms: 600_000, ..wordless() }),
        (
            Fault::EngineAway,
            Facts { waiting: 3, waiting_since: since, last_error: error, ..good() },
        ),
        (Fault::EngineBehind, Facts { waiting: 3, behind_ms: 60_000, ..good() }),
        (Fault::GivenUp, Facts { given_up: 2, ..good() }),
        (Fault::OtherLanguage, Facts { has_language: true, doubted: 5, ..withheld() }),
        (Fault::AllWithheld, Facts { doubted: 5, ..withheld() }),
        (Fault::AllWithheld, Facts { has_language: true, doubted: 1, ..withheld() }),
        (Fault::NobodySpoke, wordless()),
        (Fault::BotFailed, Facts { status: Failed.into(), ..silent() }),
        (Fault::BotFailed, Facts { status: Failed.into(), ..good() }),
        (Fault::NoSound, Facts { heard_ms: 0, ..wordless() }),
        (Fault::NothingSent, silent()),
        (Fault::NoWordsSent, Facts { has_engine: false, ..silent() }),
        (Fault::NoNames, Facts { named: 0, ..good() }),
        (Fault::EventsLost, Facts { lost_events: 1, ..good() }),
    ]
}

#[test]
fn each_fault_is_found_and_has_a_sentence_of_its_own() {
    let mut sentences = std::collections::BTreeMap::new();
    for (expected, facts) in table() {
        let fault = facts.fault();
        assert_eq!(fault, expected, "{facts:?}");
        let sentence = facts.sentence(fault);
        assert!(sentence.ends_with('.') && fault.what_to_do().ends_with('.'), "{sentence}");
        sentences.insert(fault.as_str(), sentence);
    }
    let found: Vec<&str> = sentences.keys().copied().collect();
    let mut all = Fault::WORDS.to_vec();
    all.sort_unstable();
    assert_eq!(found, all, "a fault that nothing leads to");
    let mut distinct: Vec<&String> = sentences.values().collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), all.len());
    assert_eq!(
        sentences["engine_away"],
        "No engine has taken its sound since 2025-10-10T12:00:00.000Z: the engine speaches \
         answers with status 401."
    );
}
