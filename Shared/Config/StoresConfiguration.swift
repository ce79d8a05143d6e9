/// `suite.stores`: where durable state (keys, conversations, jobs) and fast state (limits, caches) is kept.
package struct StoresConfiguration: Sendable {
    /// What keeps durable state.
    package enum Durable: String, CaseIterable, Sendable {
        case sqlite
        case postgres
    }

    /// What keeps fast state.
    package enum Fast: String, CaseIterable, Sendable {
        case local
        case redis
    }

    /// A PostgreSQL server.
    package struct Postgres: Sendable {
        /// `postgresql://…` as written; libpq's form, the host may be empty. May hold a password: never log it.
        package var url: String
        /// Connections of all services together.
        package var connections: Int
        /// The file that holds the password.
        package var passwordFile: String?
    }

    /// A Redis server, sentinel group or cluster.
    package struct Redis: Sendable {
        /// `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://` as written. May hold a password:
        /// never log it.
        package var url: String
        /// The file that holds the password.
        package var passwordFile: String?

        /// A server at `url`.
        package init(url: String, passwordFile: String? = nil) {
            self.url = url
            self.passwordFile = passwordFile
        }
    }

    /// What keeps durable state; `postgres` is set when it is `.postgres`.
    package var durable: Durable
    /// What keeps fast state; `redis` is set when it is `.redis`.
    package var fast: Fast
    /// Set when the file names a server, whether it is used or not.
    package var postgres: Postgres?
    /// Set when the file names a server, whether it is used or not.
    package var redis: Redis?

    init(section: ConfigSection) {
        durable = section.choice("durable", default: .sqlite)
        fast = section.choice("fast", default: .local)
        postgres = Self.postgres(section.section("postgres"))
        redis = Self.redis(section.section("redis"))
        if durable == .postgres, !section.section("postgres").contains("url") {
            section.report("durable", found: "postgres without a server", expected: "\(section.path).postgres.url, or sqlite")
        }
        if fast == .redis, !section.section("redis").contains("url") {
            section.report("fast", found: "redis without a server", expected: "\(section.path).redis.url, or local")
        }
    }

    private static func postgres(_ section: ConfigSection) -> Postgres? {
        let url = section.url("url", schemes: ["postgresql", "postgres"], requiresHost: false, allowsHostList: true)
        let connections = section.int("connections", default: 20, in: 3 ... 1000)
        let passwordFile = section.optionalString("password_file")
        return url.map { Postgres(url: $0.text, connections: connections, passwordFile: passwordFile) }
    }

    private static func redis(_ section: ConfigSection) -> Redis? {
        let schemes = ["redis", "rediss", "unix", "redis+sentinel", "redis+cluster"]
        let url = section.url("url", schemes: schemes, requiresHost: false, allowsHostList: true)
        if let url, url.host.isEmpty, url.scheme != "unix" {
            section.report("url", found: url.description, expected: "a host after \(url.scheme)://")
        }
        let passwordFile = section.optionalString("password_file")
        return url.map { Redis(url: $0.text, passwordFile: passwordFile) }
    }
}
