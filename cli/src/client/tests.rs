//! What must hold of the client, whatever is asked. Its parts have their tests beside them.

use super::*;

#[test]
fn what_people_type_stays_one_segment_of_a_path() {
    assert_eq!(segment("last"), "last");
    assert_eq!(segment("a/../b?c#d%"), "a%2F..%2Fb%3Fc%23d%25");
    assert_eq!(segment(".."), "%2E%2E");
    assert_eq!(segment("é"), "%C3%A9");
}

#[test]
fn absent_values_leave_the_query() {
    let query = [
        ("limit", Some("5".to_owned())),
        ("cursor", None),
        ("status", Some("a b".to_owned())),
    ];
    assert_eq!(with_query("/x", &query), "/x?limit=5&status=a%20b");
    assert_eq!(with_query("/x", &[("a", None)]), "/x");
}
