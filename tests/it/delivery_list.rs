//! The list of the caller's webhook deliveries: whose they are, their order and pages.

use crate::deliveries::{insert_event, insert_user, list, now, setup};

#[test]
fn deliveries_are_the_callers_own_newest_first_and_paged() {
    let mut keys = [String::new(), String::new(), String::new()];
    let setup = setup().rows(|db| {
        keys = [1, 2, 3].map(|user| insert_user(db, user, None));
        (0..30).for_each(|n| insert_event(db, 1 + n % 2, 1 + n % 2, n, now()));
    });
    let server = setup.start();
    let ids = |key: &str, query: &str| -> Vec<i64> {
        list(&server, key, query)
            .iter()
            .map(|delivery| delivery["id"].as_i64().expect("an id"))
            .collect()
    };
    let odd: Vec<i64> = (0..15).map(|n| 29 - 2 * n).collect();
    let even: Vec<i64> = (0..15).map(|n| 30 - 2 * n).collect();
    assert_eq!(
        (ids(&keys[0], ""), ids(&keys[1], ""), ids(&keys[2], "")),
        (odd.clone(), even, vec![])
    );
    assert_eq!(ids(&keys[0], "?limit=4"), odd[..4]);
    assert_eq!(ids(&keys[0], "?limit=4&before=23"), odd[4..8]);
    assert_eq!(ids(&keys[0], "?before=1"), Vec::<i64>::new());
    for (query, fault) in
        [("limit=0", "query.limit"), ("limit=1001", "query.limit"), ("before=x", "query.before")]
    {
        let answer = server.get(format!("/user/webhook/deliveries?{query}")).user(&keys[0]).send();
        assert_eq!(answer.faults()[0].1, fault, "{query}");
    }
}
