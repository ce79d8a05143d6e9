/// Why a store cannot be used, in words for everybody: health is shown to who has no key. What the store's library said, which may
/// name paths, hosts and roles, stands in the log and is told by the admin verbs.
package enum StoreReason {
    /// What the libraries say, in lower case, and what is told of it. The first that fits.
    private static let known: [(said: [String], told: String)] = [
        (["connection refused"], "connection refused"),
        (["password_file"], "the password file cannot be read"),
        (["password"], "the password was refused"),
        (["pg_hba"], "the server does not let this role in"),
        (["did not answer in time", "timeout", "timed out"], "no answer in time"),
        (["translate host name", "name or service not known", "name resolution"], "the host name is not known"),
        (["too many clients", "connection slots", "53300"], "the server has no connection left"),
        (["starting up", "shutting down", "57p0", "recovery", "administrator command"], "the server starts or stops"),
        (["read-only", "25006", "no server is accepting"], "no server takes writes"),
        (["certificate", "ssl"], "TLS failed"),
        (["server's version"], "the server is too old"),
        (["database or disk is full", "no space", "disk full", "53100"], "the disk is full"),
        (["readonly", "read only"], "the store cannot be written"),
        (["i/o error", "input/output"], "the disk failed"),
        (["malformed", "not a database"], "the store is damaged"),
        (["must own", "42501", "permission denied"], "a right is missing"),
        (["during the commit"], "a commit failed"),
        (["does not exist"], "the database or the role does not exist"),
        (["no such file"], "no such socket"),
        (["closed", "reset by peer", "broken pipe", "terminated", "network is unreachable", "no route"], "the connection broke"),
    ]

    /// - Parameter said: what a store's library said.
    package static func told(_ said: String) -> String {
        let said = said.lowercased()
        return known.first { $0.said.contains { said.contains($0) } }?.told ?? "see the log of session"
    }
}
