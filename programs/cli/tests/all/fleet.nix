{
  inputs.pkgs.url = "path:@PKGS@";

  outputs =
    { self, pkgs }:
    let
      make =
        name: inputs:
        derivation {
          inherit name inputs;
          system = "x86_64-linux";
          builder = "/bin/sh";
          args = [ "-c" "echo $inputs > $out" ];
        };
      tls = make pkgs.tls [ (make "zlib-1.2.11" [ ]) ];
      greeting = make pkgs.greeting [ ];
      machine = name: contents: { config.system.build.toplevel = make "nixos-system-${name}" contents; };
      packages = { default = greeting; };
    in
    {
      nixosConfigurations = {
        web = machine "web" [ tls greeting ];
        db = machine "db" [ greeting ];
        "odd \" \${name}" = machine "odd" [ tls ];
        throwing = throw "this host is retired";
        lacking = { };
        building = machine "building" [ (import (builtins.toFile "x.nix" "{ }" + builtins.readFile greeting)) ];
      };
      packages.x86_64-linux = packages;
      packages.aarch64-linux = packages;
      packages.riscv64-linux = packages // { other = greeting; };
    };
}
