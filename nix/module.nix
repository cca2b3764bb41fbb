# NixOS: watches this machine. What the units may do stands in nix/units, which the package brings; this adds what a
# machine decides: when, against which feed, and whom it tells.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkEnableOption mkIf mkOption types;
  cfg = config.services.aux;
  toml = pkgs.formats.toml { };
  # What is null was not set, and has the program's own default.
  set = lib.filterAttrs (_name: value: value != null);
  settings =
    set {
      feed = cfg.feed.file;
      feed_url = cfg.feed.url;
      feed_root = cfg.feed.root;
      fail_on = cfg.failOn;
    }
    // lib.optionalAttrs (cfg.waivers != [ ]) { inherit (cfg) waivers; }
    // cfg.settings
    // {
      agent =
        set {
          machine = cfg.machine;
          targets = cfg.targets;
          every_hours = cfg.everyHours;
          max_age_hours = cfg.maxAgeHours;
          alert_on = cfg.alertOn;
          metrics_file = cfg.metricsFile;
        }
        // (cfg.settings.agent or { });
    }
    // lib.optionalAttrs (cfg.channels != { }) { alert = cfg.channels; };
in
{
  options.services.aux = {
    enable = mkEnableOption "auxd, which audits this machine whenever it or the advisory feed changes";
    package = mkOption {
      type = types.package;
      default = pkgs.aux;
      description = "The package with `aux`, `auxd` and their units.";
    };
    feed = {
      url = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "https://feed.example.org";
        description = "Where the feed is synced from.";
      };
      root = mkOption {
        type = types.nullOr types.path;
        default = null;
        description = "The root of trust of that feed, pinned.";
      };
      file = mkOption {
        type = types.nullOr types.path;
        default = null;
        description = "A feed that something else puts there, instead of a URL.";
      };
    };
    schedule = mkOption {
      type = types.str;
      default = "daily";
      example = "hourly";
      description = "When to sync and audit, as systemd.time(7) has it; each machine has its own, constant delay.";
    };
    machine = mkOption {
      type = types.bool;
      default = true;
      description = "Whether this machine itself is watched.";
    };
    targets = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "More to watch: anything `aux audit` takes.";
    };
    everyHours = mkOption {
      type = types.ints.positive;
      default = 24;
      description = "Audit again after so many hours, also where nothing seems to have changed.";
    };
    maxAgeHours = mkOption {
      type = types.ints.positive;
      default = 168;
      description = "How old feed and audit may be before the state of the machine is called stale.";
    };
    failOn = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "The gate, in the words of `aux audit --fail-on`.";
    };
    alertOn = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "Which findings are told of, in the same words; the gate where nothing is said.";
    };
    waivers = mkOption {
      type = types.listOf types.path;
      default = [ ];
      description = "What is accepted, with reasons and ends.";
    };
    metricsFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/var/lib/aux/metrics/aux.prom";
      description = "A file for the textfile collector of the Prometheus node exporter.";
    };
    notifier.enable = mkOption {
      type = types.bool;
      default = true;
      description = "Whether people see new findings as toasts in their desktop sessions. Without sessions it does nothing.";
    };
    channels = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = {
        webhook.team.url_file = "/run/secrets/aux-webhook";
        webhook.team.secret_file = "/run/secrets/aux-webhook-key";
      };
      description = "Whom alerts go to: the `alert` table of aux.toml. Secrets are named by their files, never written here.";
    };
    settings = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      description = "More of aux.toml.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.feed.url != null || cfg.feed.file != null;
        message = "services.aux needs a feed: set services.aux.feed.url and .root, or services.aux.feed.file";
      }
      {
        assertion = cfg.feed.url == null || cfg.feed.root != null;
        message = "services.aux.feed.url needs services.aux.feed.root: without a pinned root anybody could be the feed";
      }
    ];
    environment.systemPackages = [ cfg.package ];
    environment.etc."aux/aux.toml".source = toml.generate "aux.toml" settings;
    services.dbus.packages = [ cfg.package ];
    security.polkit.enable = true;
    systemd.packages = [ cfg.package ];
    systemd.services.auxd = {
      wantedBy = [ "multi-user.target" ];
      restartTriggers = [ config.environment.etc."aux/aux.toml".source ];
      # A switch must not leave the machine without it, and stopping it during one gains nothing.
      stopIfChanged = false;
      path = [ config.nix.package ];
      # The feed, and webhooks, go the way the machine's other services go.
      environment = config.networking.proxy.envVars;
    };
    # The unit starts with each graphical session; pages are opened by the desktop's portal, or by xdg-open without one.
    systemd.user.services = mkIf cfg.notifier.enable {
      aux-notifier = {
        wantedBy = [ "graphical-session.target" ];
        path = [ pkgs.xdg-utils ];
      };
    };
    systemd.services.auxd-round = {
      path = [ config.nix.package ];
      environment = config.networking.proxy.envVars;
    };
    systemd.timers.auxd-round = {
      wantedBy = [ "timers.target" ];
      # The empty word takes back what the unit itself says.
      timerConfig.OnCalendar = [
        ""
        cfg.schedule
      ];
    };
  };
}
