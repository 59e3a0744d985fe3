//! The order to end, as every task of the service hears it.

use tokio::sync::watch;

/// Resolves when `stop` has turned true, or can turn no more.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Both outcomes mean the end; the guard of the value must not outlive this line.
    drop(stop.wait_for(|&stopped| stopped).await);
}
