################################################################################
#
# hookline
#
################################################################################

HOOKLINE_VERSION = $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' $(BR2_EXTERNAL_HOOKLINE_PATH)/../Cargo.toml)
HOOKLINE_SITE = $(realpath $(BR2_EXTERNAL_HOOKLINE_PATH)/..)
HOOKLINE_SITE_METHOD = local
HOOKLINE_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude=/target --exclude=node_modules --exclude=/webui/dist \
	--exclude=/demo --exclude='/data*'
HOOKLINE_LICENSE = Apache-2.0
HOOKLINE_LICENSE_FILES = LICENSE
HOOKLINE_SUBDIR = daemon/hookline
HOOKLINE_DEPENDENCIES = host-nodejs host-pkgconf alsa-lib systemd

# The optimisation that the tests ran with, and not that of the rest of the image.
HOOKLINE_CARGO_ENV = \
	CARGO_PROFILE_RELEASE_OPT_LEVEL=3 \
	PKG_CONFIG_ALLOW_CROSS=1

# A local package has no download step in which Buildroot would get its crates. Cargo.lock holds the hash of each.
define HOOKLINE_FETCH_CRATES
	cd $(@D) && $(TARGET_MAKE_ENV) $(PKG_CARGO_ENV) \
		cargo fetch --locked --target $(RUSTC_TARGET_NAME)
endef
HOOKLINE_PRE_BUILD_HOOKS += HOOKLINE_FETCH_CRATES

# The pages are compiled into the binary. package-lock.json holds the hash of each of their packages.
define HOOKLINE_BUILD_PAGES
	cd $(@D)/webui && $(HOST_MAKE_ENV) npm_config_cache=$(DL_DIR)/hookline/npm \
		npm ci --no-audit --no-fund
	cd $(@D)/webui && $(HOST_MAKE_ENV) npm run build
endef
HOOKLINE_PRE_BUILD_HOOKS += HOOKLINE_BUILD_PAGES

$(eval $(cargo-package))
