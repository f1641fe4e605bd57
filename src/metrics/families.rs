//! A metric as it is written: its name, its help, and a sample for each set of labels.

use crate::metrics::histogram::Counted;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::borrow::Cow;
use std::fmt;

/// A label: a name and a value. Values are words of the program or of its settings, never a
/// caller's.
pub type Label = (&'static str, Cow<'static, str>);

/// The value of a sample.
#[derive(Debug, Clone)]
enum Value {
    Whole(u64),
    Real(f64),
    Histogram(Counted),
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gauge,
    Counter,
    Histogram,
}

/// A metric with its samples.
#[derive(Debug, Clone)]
pub struct Family {
    /// Its name, without the prefix.
    pub name: &'static str,
    /// Its help.
    pub about: &'static str,
    kind: Kind,
    samples: Vec<(Vec<Label>, Value)>,
}

impl Family {
    /// A gauge without labels.
    pub fn gauge(name: &'static str, about: &'static str, value: u64) -> Self {
        Self::gauges(name, about).with(Value::Whole(value))
    }

    /// A gauge without labels that is no whole number.
    pub fn gauge_of(name: &'static str, about: &'static str, value: f64) -> Self {
        Self::gauges(name, about).with(Value::Real(value))
    }

    /// A counter without labels.
    pub fn counter(name: &'static str, about: &'static str, value: u64) -> Self {
        Self::counters(name, about).with(Value::Whole(value))
    }

    /// A counter without labels that is no whole number.
    pub fn counter_of(name: &'static str, about: &'static str, value: f64) -> Self {
        Self::counters(name, about).with(Value::Real(value))
    }

    /// A histogram without labels.
    pub fn histogram(name: &'static str, about: &'static str, counted: Counted) -> Self {
        Self::histograms(name, about).with(Value::Histogram(counted))
    }

    /// A gauge with labels, without samples yet.
    pub fn gauges(name: &'static str, about: &'static str) -> Self {
        Self { name, about, kind: Kind::Gauge, samples: Vec::new() }
    }

    /// A counter with labels, without samples yet.
    pub fn counters(name: &'static str, about: &'static str) -> Self {
        Self { name, about, kind: Kind::Counter, samples: Vec::new() }
    }

    /// A histogram with labels, without samples yet.
    pub fn histograms(name: &'static str, about: &'static str) -> Self {
        Self { name, about, kind: Kind::Histogram, samples: Vec::new() }
    }

    /// Adds a sample of a gauge or a counter.
    pub fn add(&mut self, labels: Vec<Label>, value: u64) {
        self.samples.push((labels, Value::Whole(value)));
    }

    /// Adds a sample that is no whole number.
    pub fn add_real(&mut self, labels: Vec<Label>, value: f64) {
        self.samples.push((labels, Value::Real(value)));
    }

    /// Adds a sample of a histogram.
    pub fn add_histogram(&mut self, labels: Vec<Label>, counted: Counted) {
        self.samples.push((labels, Value::Histogram(counted)));
    }

    fn with(mut self, value: Value) -> Self {
        self.samples.push((Vec::new(), value));
        self
    }
}

impl EncodeMetric for Family {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (labels, value) in &self.samples {
            let mut sample = encoder.encode_family(labels)?;
            match (self.kind, value) {
                (Kind::Counter, Value::Whole(value)) => {
                    sample.encode_counter::<NoLabelSet, _, u64>(value, None)?;
                }
                (Kind::Counter, Value::Real(value)) => {
                    sample.encode_counter::<NoLabelSet, _, u64>(value, None)?;
                }
                (_, Value::Whole(value)) => sample.encode_gauge(value)?,
                (_, Value::Real(value)) => sample.encode_gauge(value)?,
                (_, Value::Histogram(Counted { sum, count, buckets })) => {
                    sample.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)?;
                }
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        match self.kind {
            Kind::Gauge => MetricType::Gauge,
            Kind::Counter => MetricType::Counter,
            Kind::Histogram => MetricType::Histogram,
        }
    }
}
