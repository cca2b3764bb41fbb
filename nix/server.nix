# NixOS: serves a private binary cache. What the unit may do stands in nix/units, which the package brings; this adds
# where it listens, and which feed its policies ask.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkEnableOption mkIf mkOption types;
  cfg = config.services.aux-server;
  # What systemd reads as root and hands on to the server alone, by the name that its options know it by.
  credentials =
    credential "signing-key" cfg.signingKeyFile
    ++ credential "records-password" cfg.recordsPasswordFile
    ++ credential "objects" cfg.objectsCredentialsFile
    ++ credential "netrc" cfg.netrcFile;
  credential = name: file: if file == null then [ ] else [ "${name}:${toString file}" ];
in
{
  options.services.aux-server = {
    enable = mkEnableOption "aux-server, a private binary cache of what was vetted";
    package = mkOption {
      type = types.package;
      default = pkgs.aux;
      description = "The package with `aux-server` and its unit.";
    };
    listen = mkOption {
      type = types.str;
      default = "127.0.0.1:8180";
      description = "Address and port. Anything but loopback wants a proxy in front that speaks TLS, because tokens pass here.";
    };
    storeDir = mkOption {
      type = types.path;
      default = "/nix/store";
      description = "The store directory of those who substitute from here.";
    };
    records = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "postgres:///aux?host=/run/postgresql&user=aux";
      description = "The PostgreSQL with the records, for several servers on one store; null keeps them in the folder. It holds no password.";
    };
    recordsPasswordFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      description = "A file with the password for `records`, which systemd reads and hands on.";
    };
    signingKeyFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/aux/secrets/current/cache-key";
      description = "A file with the signing keys, which systemd reads and hands on; null keeps them in the folder.";
    };
    objects = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "s3://nars/team";
      description = "The bucket with the NARs, of an S3-compatible store; null keeps them in the folder.";
    };
    objectsEndpoint = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://s3.example.org";
      description = "Where the store of `objects` answers, where it is not Amazon's.";
    };
    objectsCredentialsFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      description = "A file with who may use `objects`, as Amazon's own programs have it, which systemd reads and hands on.";
    };
    netrcFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/etc/nix/netrc";
      description = "The passwords of the upstreams of its caches, as Nix has them in `netrc-file`, which systemd reads and hands on.";
    };
    keep = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "chunks";
      description = "How NARs that come from now on are kept, `chunks` or `whole`; null leaves it to the server.";
    };
    feed = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/aux-feed/feed.auxdb";
      description = "The index that policies ask, readable by everybody; views are judged again when it changes.";
    };
  };

  config = mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    systemd.packages = [ cfg.package ];
    systemd.services.aux-server = {
      wantedBy = [ "multi-user.target" ];
      # Upstreams of caches are reached through it.
      environment = config.networking.proxy.envVars;
      # The empty word takes back what the unit itself says. The folder is the unit's state directory.
      serviceConfig.LoadCredential = mkIf (credentials != [ ]) credentials;
      serviceConfig.ExecStart = [
        ""
        (
          "${cfg.package}/bin/aux-server --data /var/lib/aux-cache --listen ${cfg.listen} --store-dir ${toString cfg.storeDir}"
          + (if cfg.feed == null then "" else " --feed ${toString cfg.feed}")
          + (if cfg.signingKeyFile == null then "" else " --signing-key-file %d/signing-key")
          # A percent sign is systemd's in this place.
          + (if cfg.records == null then "" else " --records ${lib.escapeShellArg (lib.replaceStrings [ "%" ] [ "%%" ] cfg.records)}")
          + (if cfg.recordsPasswordFile == null then "" else " --records-password-file %d/records-password")
          + (if cfg.objects == null then "" else " --objects ${lib.escapeShellArg cfg.objects}")
          + (if cfg.objectsEndpoint == null then "" else " --objects-endpoint ${lib.escapeShellArg cfg.objectsEndpoint}")
          + (if cfg.objectsCredentialsFile == null then "" else " --objects-credentials-file %d/objects")
          + (if cfg.netrcFile == null then "" else " --netrc-file %d/netrc")
          + (if cfg.keep == null then "" else " --keep ${cfg.keep}")
        )
      ];
    };
  };
}
