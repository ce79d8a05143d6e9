import Foundation

/// An authority and certificates of it, made by the openssl command line: `good` (up.test and 127.0.0.1), `other` (another
/// name), `expired`, and `self`, signed by itself.
struct TestCertificates {
    let folder: TemporaryFolder

    /// Made once.
    static let shared = Result { try TestCertificates() }

    private static let script = """
        set -e
        key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }
        leaf() {
          key $1
          printf 'subjectAltName=%s\\nbasicConstraints=CA:FALSE\\n' "$2" > $1.ext
          openssl req -new -key $1.key -subj /CN=$1 |
            openssl x509 -req -CA ca.pem -CAkey ca.key -set_serial $3 -days $4 -extfile $1.ext -out $1.pem
        }
        key ca
        openssl req -x509 -new -key ca.key -out ca.pem -days 2 -subj '/CN=test authority' \\
          -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
        leaf good DNS:up.test,IP:127.0.0.1 11 2
        leaf other DNS:other.test 12 2
        leaf expired DNS:up.test 13 -1
        key self
        openssl req -x509 -new -key self.key -out self.pem -days 2 -subj /CN=up.test -addext subjectAltName=DNS:up.test
        for name in ca good; do
          openssl x509 -in $name.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary |
            base64 -w0 > $name.pin
        done
        """

    private init() throws {
        folder = try TemporaryFolder()
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", Self.script]
        shell.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        (shell.standardOutput, shell.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        try shell.run()
        shell.waitUntilExit()
        guard shell.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }

    func path(_ name: String) -> String { "\(folder.path)/\(name)" }

    /// SHA-256 of the public key of `ca` or `good`, in base64.
    func pin(_ name: String) throws -> String { String(decoding: try folder.read("\(name).pin"), as: UTF8.self) }
}
