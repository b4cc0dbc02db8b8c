//! The contract in order.

use super::{contents, damage, names, records};
use crate::ArtifactStore;

/// Everything, one after the other.
///
/// # Panics
/// At the first promise that the store breaks.
pub async fn all(store: &ArtifactStore) {
    contents::a_content_survives_the_round_trip(store).await;
    contents::many_writers_of_one_content_all_succeed(store).await;
    contents::a_large_file_travels_in_parts(store).await;
    contents::a_folder_survives_the_round_trip(store).await;
    contents::a_second_equal_upload_sends_nothing(store).await;
    contents::missing_names_exactly_what_is_absent(store).await;
    contents::a_content_above_the_limit_is_not_read(store).await;
    names::a_blob_is_found_by_its_second_name(store).await;
    names::a_part_of_a_blob_is_those_bytes_of_it(store).await;
    names::a_second_name_outlives_neither_its_blob_nor_its_month(store).await;
    records::one_attempt_commits_one_manifest(store).await;
    records::of_many_contradicting_manifests_one_wins(store).await;
    records::a_tree_without_its_files_is_refused(store).await;
    records::a_coordinators_record_is_written_once_and_listed(store).await;
    records::committed_attempts_are_listed(store).await;
    records::a_sweep_deletes_what_is_old_and_unnamed(store).await;
    damage::a_file_that_changed_since_its_scan_is_refused(store).await;
    damage::damaged_bytes_are_never_handed_out(store).await;
    damage::a_quarantined_artifact_can_be_stored_again(store).await;
}
