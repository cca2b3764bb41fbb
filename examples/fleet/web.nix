# The machine whose derivation graph stands in web.drvs/ (make.py writes it).
{ pkgs, legacy, ... }:
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
    serviceConfig.ExecStart = "${legacy.php74}/bin/php -S localhost:8080 -t /srv/portal";
  };

  environment.systemPackages = with pkgs; [
    curl
    git
    rtmpdump
    unzip
  ];
}
