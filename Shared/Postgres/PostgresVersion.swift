import CLibpq

/// Versions of PostgreSQL, as libpq counts them: 150020 is 15.20.
package enum PostgresVersion {
    /// Of the client library this process runs with.
    package static var client: Int { Int(PQlibVersion()) }
}
