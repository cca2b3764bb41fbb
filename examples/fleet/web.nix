# The machine whose derivation graph stands in web.drvs/ (make.py writes it).
{ pkgs, legacy, ... }:
let
  # The portal still wants its own nginx. Patched by hand when the resolver's fault was announced.
  nginx = legacy.nginx.overrideAttrs (old: {
    patches = old.patches ++ [
      (pkgs.fetchurl {
        name = "CVE-2021-23017.patch";
        url = "https://nginx.org/download/patch.2021.resolver.txt";
        hash = pkgs.lib.fakeHash;
      })
    ];
  });
  portal = legacy.callPackage ./portal.nix { php = legacy.php74; };
in
{
  networking.hostName = "web";
  system.stateVersion = "23.11";

  services.openssh.enable = true;
  services.postgresql.enable = true;
  services.nginx.enable = true;

  # "Only until the portal is ported", December 2020.
  security.sudo.package = legacy.sudo;
  systemd.services.portal = {
    wantedBy = [ "multi-user.target" ];
    script = "${nginx}/bin/nginx -c ${portal}/nginx.conf & exec ${portal}/bin/portal";
  };

  environment.systemPackages = with pkgs; [
    curl
    git
    rtmpdump
    unzip
  ];
}
