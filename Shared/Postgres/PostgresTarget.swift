import BulkheadConfig
import CLibpq
import Foundation

/// Where a server is and how it is spoken to.
package struct PostgresTarget: Sendable {
    /// libpq's form; may hold a password.
    private let url: String
    /// Read at every connect, so that a password may be changed without a restart.
    private let passwordFile: String?
    /// Shown in `pg_stat_activity`.
    private let applicationName: String

    /// The server of the configuration.
    package init(_ configuration: StoresConfiguration.Postgres, applicationName: String) {
        self.init(url: configuration.url, passwordFile: configuration.passwordFile, applicationName: applicationName)
    }

    /// A server by its URL.
    package init(url: String, passwordFile: String? = nil, applicationName: String) {
        self.url = url
        self.passwordFile = passwordFile
        self.applicationName = applicationName
    }

    /// Seconds one address has to let a connection come about.
    static let connectLimit = 3

    /// What the URL may say otherwise: a dead peer is found within 15 s, and of several hosts the one that takes writes is used.
    private var defaults: [(String, String)] {
        [
            ("application_name", applicationName), ("keepalives", "1"), ("keepalives_idle", "5"), ("keepalives_interval", "3"),
            ("keepalives_count", "3"), ("tcp_user_timeout", "15000"), ("target_session_attrs", "read-write"),
        ]
    }

    /// Keywords and their values; in libpq later ones hold over earlier ones, and the URL stands in `dbname`.
    /// - Throws: `.broken`, without the URL: it may hold a password.
    func parameters() throws(PostgresError) -> [(String, String)] {
        guard isReadable else {
            throw .broken("suite.stores.postgres.url is not understood by libpq: write postgresql://user@host:5432/database")
        }
        var all = defaults + [("dbname", url), ("client_encoding", "UTF8"), ("connect_timeout", "\(Self.connectLimit)")]
        if let password = try password() { all.append(("password", password)) }
        return all
    }

    private var isReadable: Bool {
        guard let options = PQconninfoParse(url, nil) else { return false }
        PQconninfoFree(options)
        return true
    }

    private func password() throws(PostgresError) -> String? {
        guard let passwordFile else { return nil }
        do {
            let text = try String(contentsOfFile: passwordFile, encoding: .utf8)
            return String(text.prefix { $0 != "\n" && $0 != "\r\n" })
        } catch {
            throw .broken("suite.stores.postgres.password_file \(passwordFile) cannot be read: check its path, owner and mode")
        }
    }
}

/// Arrays of C strings, valid within `body`, ended by NULL.
func withCStrings<Value>(_ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Value) -> Value {
    let copies = texts.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return (copies.map { UnsafePointer($0) } + [nil]).withUnsafeBufferPointer { body($0.baseAddress) }
}
