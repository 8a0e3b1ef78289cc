//! Starting the box again, by logind (`org.freedesktop.login1`): it ends services in order, so that the recorder makes
//! files of what is open.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;
use zbus::proxy;

use crate::bus::CallError;
use crate::error::ApplianceError;
use crate::work::World;

const LOGIND: &str = "logind";
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

#[proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1"
)]
trait Login1Manager {
    /// `yes`, `no`, `challenge` (after a password), `na` (the machine cannot).
    fn can_reboot(&self) -> zbus::Result<String>;
    fn reboot(&self, interactive: bool) -> zbus::Result<()>;
}

/// A restart that has been promised and not done yet.
#[derive(Default)]
pub(crate) struct Restarts(Mutex<Option<JoinHandle<()>>>);

impl Restarts {
    /// One that waits already is enough.
    fn promise(&self, restart: impl Future<Output = ()> + Send + 'static) {
        let mut promised = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if promised.as_ref().is_none_or(JoinHandle::is_finished) {
            *promised = Some(tokio::spawn(restart));
        }
    }

    /// Waits until none is owed any more.
    pub(crate) async fn finish(&self) {
        let promised = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(promised) = promised {
            // It ends by its own time limits.
            let _ = promised.await;
        }
    }
}

/// Asks whether the box may restart, and has it done shortly after.
///
/// # Errors
/// `NoBus`, `NoService`; `RestartRefused` for any answer but `yes`.
pub(crate) async fn soon(world: &World) -> Result<(), ApplianceError> {
    let connection = world.bus.connect(ANSWER_WITHIN).await?;
    let failed = |error| CallError::from(error).of(LOGIND, |said| ApplianceError::RestartRefused { said });
    let manager = Login1ManagerProxy::new(&connection).await.map_err(failed)?;
    match manager.can_reboot().await.map_err(failed)?.as_str() {
        "yes" => {}
        other => {
            let said = format!("logind answers {other:?}");
            return Err(ApplianceError::RestartRefused { said });
        }
    }
    let after = world.tuning.restart_after;
    world.restarts.promise(async move {
        sleep(after).await;
        if let Err(error) = manager.reboot(false).await {
            eprintln!("the box did not restart: {}", failed(error));
        }
    });
    Ok(())
}
