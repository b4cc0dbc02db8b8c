//! Each store against the contract.

use crate::emulator::Emulator;
use tidemill_artifacts::{ArtifactStore, StoreConfig, contract};

async fn keeps_the_contract(config: &StoreConfig) {
    let store = ArtifactStore::open(config).await.unwrap();
    contract::all(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    keeps_the_contract(&StoreConfig::local(&folder.path().join("a store, with spaces")).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract() {
    keeps_the_contract(&StoreConfig {
        url: "memory:///".to_owned(),
        ..StoreConfig::default()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite_keeps_the_contract() {
    let (_azurite, config) = Emulator::azurite();
    keeps_the_contract(&config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_keeps_the_contract() {
    let (_moto, config) = Emulator::moto();
    keeps_the_contract(&config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seaweedfs_keeps_the_contract() {
    let (_seaweedfs, config) = Emulator::seaweedfs();
    keeps_the_contract(&config).await;
}

/// `TIDEMILL_TEST_STORE_URL` and the environment's credentials name any other store to try.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_the_environment_keeps_the_contract() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the store to try is a setting of the test run"
    )]
    let Ok(url) = std::env::var("TIDEMILL_TEST_STORE_URL") else {
        println!("TIDEMILL_TEST_STORE_URL is not set: no further store is tried");
        return;
    };
    keeps_the_contract(&StoreConfig::from_environment(url, std::env::vars())).await;
}
