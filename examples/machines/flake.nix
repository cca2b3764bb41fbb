# Two machines and a package small enough to read. They have the names and versions of real packages and none of their contents,
# so that evaluating them needs nothing but this file. Real machines come from nixpkgs and are audited the same way.
{
  description = "machines of an organisation that does not exist";

  outputs =
    { self }:
    let
      make =
        name: inputs:
        derivation {
          inherit name inputs;
          system = "x86_64-linux";
          builder = "/bin/sh";
          args = [
            "-c"
            "echo $inputs > $out"
          ];
        };
      bash = make "bash-5.2" [ ];
      curl = make "curl-8.3.0" [ bash ];
      machine = name: contents: { config.system.build.toplevel = make "nixos-system-${name}-23.11" contents; };
    in
    {
      nixosConfigurations = {
        web = machine "web" [
          curl
          (make "sudo-1.8.31p1" [ bash ])
        ];
        db = machine "db" [ bash ];
        old = throw "this machine was given away; remove it";
      };
      packages.x86_64-linux.default = curl;
    };
}
