# The organisation's own program, which is called what several vendors call theirs.
{ stdenv, fetchzip, php }:
stdenv.mkDerivation rec {
  pname = "portal";
  version = "2.3.1";
  src = fetchzip {
    url = "https://git.example.org/portal/archive/v${version}.tar.gz";
    sha256 = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  };
  buildInputs = [ php ];
}
