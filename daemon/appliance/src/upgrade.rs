//! Installing an upgrade, by RAUC (`de.pengutronix.rauc`): it checks the signature, writes the slot that does not run, and
//! makes it the one to start from. What can be known of a bundle is known, and told, before anything is written.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::sleep;
use zbus::fdo::{PropertiesChanged, PropertiesProxy};
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedVariant, Variant, proxy};

use crate::bus::CallError;
use crate::error::ApplianceError;
use crate::work::World;

const RAUC: &str = "RAUC";
const SERVICE: &str = "de.pengutronix.rauc";
const PATH: &str = "/";
/// RAUC reads a bundle of the old format as a whole before it answers.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);
const LONGEST_RELEASE: usize = 200;

#[proxy(
    interface = "de.pengutronix.rauc.Installer",
    default_service = "de.pengutronix.rauc",
    default_path = "/"
)]
trait Installer {
    /// Since RAUC 1.9.
    fn inspect_bundle(
        &self,
        source: &str,
        args: HashMap<&str, Variant<'_>>,
    ) -> zbus::Result<HashMap<String, OwnedVariant>>;
    /// Compatible and version; before RAUC 1.9 the only way.
    fn info(&self, bundle: &str) -> zbus::Result<(String, String)>;
    /// Of the slot `identifier` (`booted`: that which runs). Returns the slot's name, and a sentence.
    fn mark(&self, state: &str, identifier: &str) -> zbus::Result<(String, String)>;
    /// Returns at once; `completed` follows.
    fn install_bundle(&self, source: &str, args: HashMap<&str, Variant<'_>>) -> zbus::Result<()>;
    #[zbus(signal)]
    fn completed(&self, result: i32) -> zbus::Result<()>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn operation(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn last_error(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn compatible(&self) -> zbus::Result<String>;
}

/// What somebody wants installed.
pub(crate) struct Wanted {
    pub(crate) bundle: PathBuf,
    pub(crate) release: String,
}

/// What a bundle says of itself.
#[derive(Debug, PartialEq)]
struct Manifest {
    compatible: String,
    version: String,
}

/// Looks at the bundle, and installs it if it is for this box. Returns its version. Dropped while RAUC installs, the
/// installation goes on, and further ones are refused until it has ended.
///
/// # Errors
/// Those of an upgrade, `BadRequest` for a path that cannot be, `NoBus`, `NoService`.
pub(crate) async fn install(
    world: &World,
    wanted: &Wanted,
    progress: &watch::Sender<u8>,
) -> Result<String, ApplianceError> {
    let source = check(wanted)?;
    let _turn = world.upgrading.try_lock().map_err(|_| ApplianceError::UpgradeRunning)?;
    let connection = world.bus.connect(ANSWER_WITHIN).await?;
    let rauc = Rauc::on(&connection, wanted).await?;
    rauc.is_idle().await?;
    let manifest = rauc.inspect(source).await?;
    let ours = rauc.proxy.compatible().await.map_err(|error| wanted.failed(error))?;
    if manifest.compatible != ours {
        let (release, theirs) = (wanted.release.clone(), manifest.compatible);
        return Err(ApplianceError::NotForThisBox { release, theirs, ours });
    }
    rauc.install(&connection, source, progress, world.tuning.install_silent_for).await?;
    Ok(manifest.version)
}

/// Whether an upgrade could be installed now: asked before a bundle is fetched from far away.
///
/// # Errors
/// `UpgradeRunning`, `NoBus`, `NoService`.
pub(crate) async fn is_possible(world: &World) -> Result<(), ApplianceError> {
    let _turn = world.upgrading.try_lock().map_err(|_| ApplianceError::UpgradeRunning)?;
    let connection = world.bus.connect(ANSWER_WITHIN).await?;
    let wanted = Wanted { bundle: PathBuf::new(), release: String::new() };
    Rauc::on(&connection, &wanted).await?.is_idle().await
}

/// The system that runs is one to start from: its tries are forgotten.
///
/// # Errors
/// `MarkRefused`, `NoBus`, `NoService`.
pub(crate) async fn mark_good(world: &World) -> Result<(), ApplianceError> {
    let refused =
        |error: zbus::Error| CallError::from(error).of(RAUC, |said| ApplianceError::MarkRefused { said });
    let connection = world.bus.connect(ANSWER_WITHIN).await?;
    let proxy = InstallerProxy::builder(&connection).cache_properties(CacheProperties::No).build().await;
    let marked = proxy.map_err(refused)?.mark("good", "booted").await;
    marked.map(drop).map_err(refused)
}

/// The path as RAUC takes it.
fn check(wanted: &Wanted) -> Result<&str, ApplianceError> {
    let bad = |reason: String| ApplianceError::BadRequest { reason };
    let bundle: &Path = &wanted.bundle;
    if wanted.release.len() > LONGEST_RELEASE {
        return Err(bad(format!("the name of a release has at most {LONGEST_RELEASE} bytes")));
    }
    // RAUC would take an address on the network as well; the socket is not a way to reach it.
    let source = bundle.to_str().filter(|_| bundle.is_absolute());
    let source = source.ok_or_else(|| bad(format!("the bundle {bundle:?} is no absolute path")))?;
    match fs::metadata(bundle) {
        Ok(found) if found.is_file() => Ok(source),
        Ok(_) => Err(bad(format!("the bundle {source} is no file"))),
        Err(error) => Err(bad(format!("the bundle {source} cannot be read: {error}"))),
    }
}

impl Wanted {
    fn upgrade_failed(&self, said: String) -> ApplianceError {
        ApplianceError::UpgradeFailed { release: self.release.clone(), said }
    }

    /// It has begun, and RAUC does not tell what comes of it.
    fn end_unknown(&self, said: String) -> ApplianceError {
        ApplianceError::EndUnknown { release: self.release.clone(), said }
    }

    /// A call to RAUC that brought nothing.
    fn failed(&self, error: zbus::Error) -> ApplianceError {
        CallError::from(error).of(RAUC, |said| self.upgrade_failed(said))
    }
}

struct Rauc<'a> {
    proxy: InstallerProxy<'a>,
    wanted: &'a Wanted,
}

impl<'a> Rauc<'a> {
    async fn on(connection: &Connection, wanted: &'a Wanted) -> Result<Self, ApplianceError> {
        let proxy = InstallerProxy::builder(connection).cache_properties(CacheProperties::No).build().await;
        Ok(Self { proxy: proxy.map_err(|error| wanted.failed(error))?, wanted })
    }

    async fn is_idle(&self) -> Result<(), ApplianceError> {
        match self.proxy.operation().await.map_err(|error| self.wanted.failed(error))?.as_str() {
            "idle" => Ok(()),
            _ => Err(ApplianceError::UpgradeRunning),
        }
    }

    async fn inspect(&self, source: &str) -> Result<Manifest, ApplianceError> {
        let inspected = match self.proxy.inspect_bundle(source, HashMap::new()).await {
            Ok(info) => return Ok(manifest(info)),
            Err(error) => CallError::from(error),
        };
        let error = match inspected {
            CallError::NoSuchMethod => match self.proxy.info(source).await {
                Ok((compatible, version)) => return Ok(Manifest { compatible, version }),
                Err(error) => CallError::from(error),
            },
            error => error,
        };
        let release = self.wanted.release.clone();
        let refused = error.of(RAUC, |said| ApplianceError::BundleCorrupt { release, said });
        // It says no to everything while somebody else has it install something.
        if matches!(refused, ApplianceError::BundleCorrupt { .. }) {
            self.is_idle().await?;
        }
        Err(refused)
    }

    async fn install(
        &self,
        connection: &Connection,
        source: &str,
        progress: &watch::Sender<u8>,
        silent_for: Duration,
    ) -> Result<(), ApplianceError> {
        let failed = |error| self.wanted.failed(error);
        let properties = PropertiesProxy::new(connection, SERVICE, PATH).await.map_err(failed)?;
        // All that is listened to is listened to before it begins.
        let mut changes = properties.receive_properties_changed().await.map_err(failed)?;
        let mut owners = self.proxy.inner().receive_owner_changed().await.map_err(failed)?;
        let mut completed = self.proxy.receive_completed().await.map_err(failed)?;
        self.proxy.install_bundle(source, HashMap::new()).await.map_err(failed)?;
        loop {
            tokio::select! {
                Some(signal) = completed.next() => {
                    return match signal.args().map_err(failed)?.result {
                        0 => Ok(()),
                        _ => Err(self.last_error().await),
                    };
                }
                Some(change) = changes.next() => {
                    if let Some(percent) = percent(&change) {
                        progress.send_if_modified(|told| {
                            let more = percent > *told;
                            *told = percent.max(*told);
                            more
                        });
                    }
                }
                Some(None) = owners.next() => {
                    return Err(self.wanted.end_unknown("RAUC ended before it was done".to_owned()));
                }
                () = sleep(silent_for) => {
                    let said = format!("RAUC said nothing for {} s", silent_for.as_secs_f32());
                    return Err(self.wanted.end_unknown(said));
                }
                else => {
                    return Err(self.wanted.end_unknown("the system bus ended before it was done".to_owned()));
                }
            }
        }
    }

    async fn last_error(&self) -> ApplianceError {
        match self.proxy.last_error().await {
            Ok(said) if said.is_empty() => self.wanted.upgrade_failed("RAUC does not say why".to_owned()),
            Ok(said) => self.wanted.upgrade_failed(said),
            Err(error) => self.wanted.upgrade_failed(format!("RAUC does not say why: {error}")),
        }
    }
}

/// Of what `InspectBundle` returns: `update` {`compatible`, `version`}. What is not there is empty, and fits no box.
fn manifest(mut info: HashMap<String, OwnedVariant>) -> Manifest {
    let mut update = info
        .remove("update")
        .and_then(|update| HashMap::<String, OwnedVariant>::try_from(unpacked(update.into())?).ok())
        .unwrap_or_default();
    let mut text =
        |name: &str| update.remove(name).and_then(|text| String::try_from(text).ok()).unwrap_or_default();
    Manifest { compatible: text("compatible"), version: text("version") }
}

/// RAUC puts a variant into a variant.
fn unpacked(mut variant: Variant<'static>) -> Option<OwnedVariant> {
    while let Variant::Variant(inner) = variant {
        variant = *inner;
    }
    OwnedVariant::try_from(variant).ok()
}

/// Of the property `Progress`: percent, what it does, how deep.
fn percent(change: &PropertiesChanged) -> Option<u8> {
    let changed = change.args().ok()?;
    let progress = changed.changed_properties().get("Progress")?.try_clone().ok()?;
    let (percent, _, _) = <(i32, String, i32)>::try_from(progress).ok()?;
    u8::try_from(percent.clamp(0, 100)).ok()
}
