//! stub
use crate::domain::MeetingId;
#[allow(missing_docs)]
pub struct Order {
    pub meeting_id: MeetingId,
    pub uid: String,
    pub name: String,
    pub environment: Vec<(String, String)>,
}
#[allow(missing_docs)]
pub struct Supervisor;
#[allow(missing_docs)]
impl Supervisor {
    pub fn runs_any(&self) -> bool {
        true
    }
    pub async fn send(&self, order: Order) -> Result<String, String> {
        Ok(format!("stub:{}", order.meeting_id))
    }
}
