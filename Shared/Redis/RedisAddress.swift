import BulkheadConfig

/// Where a Redis is and how to introduce oneself.
package struct RedisAddress: Sendable, Equatable {
    /// A way to reach it.
    package enum Endpoint: Sendable, Equatable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    /// Why a configured address cannot be used.
    package struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// How the other side proves itself.
    package struct TLS: Sendable, Equatable {
        /// Certificates of authorities (PEM) to trust in place of the system's.
        package var authorityFile: String?

        /// Trusts the system's authorities, or those of a file.
        package init(authorityFile: String? = nil) { self.authorityFile = authorityFile }
    }

    /// The way to it.
    package var endpoint: Endpoint
    /// nil: in clear.
    package var tls: TLS?
    /// The number of the database (SELECT).
    package var database: Int
    /// The user of an ACL; nil: the default user.
    package var user: String?
    /// A password written into the URL; the file goes first. Never logged.
    package var password: String?
    /// The file that holds the password; read at every connection, so that a new one needs no restart.
    package var passwordFile: String?

    /// The place without its secrets, for people.
    package var place: String {
        switch endpoint {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }

    /// An address, e.g. of a test.
    package init(_ endpoint: Endpoint, database: Int = 0, password: String? = nil, tls: TLS? = nil) {
        self.endpoint = endpoint
        self.tls = tls
        self.database = database
        self.password = password
    }

    /// Reads `redis://[user[:password]@]host[:port][/db]`, `rediss://…[?ca_file=/path]` or
    /// `unix://[user[:password]@]/path[?db=n]`.
    /// - Throws: `Problem` for an address this module does not speak, with what to write instead.
    package init(_ configuration: StoresConfiguration.Redis) throws(Problem) {
        guard let url = AbsoluteURL(configuration.url, requiresHost: false, allowsHostList: true) else {
            throw Problem(description: "suite.stores.redis.url is no address, e.g. redis://127.0.0.1:6379/0")
        }
        let database: Substring
        switch url.scheme {
        case "redis" where !Self.isList(url), "rediss" where !Self.isList(url):
            endpoint = .tcp(host: url.host, port: url.port ?? 6379)
            database = url.path.drop { $0 == "/" }
            if url.scheme == "rediss" { tls = TLS(authorityFile: Self.parameter("ca_file", url).map(Self.unescaped)) }
        case "unix":
            endpoint = .unix(path: url.path)
            database = Self.parameter("db", url) ?? ""
        default: throw Self.notSpoken(url)
        }
        guard let number = database.isEmpty ? 0 : Int(database), (0 ..< 65_536).contains(number) else {
            throw Problem(description: "suite.stores.redis.url: '\(database)' is no number of a database")
        }
        self.database = number
        let introduction = (url.userInfo ?? "").split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        user = introduction.first.flatMap { $0.isEmpty ? nil : Self.unescaped($0) }
        password = introduction.count == 2 ? Self.unescaped(introduction[1]) : nil
        passwordFile = configuration.passwordFile
    }

    private static func parameter(_ name: String, _ url: AbsoluteURL) -> Substring? {
        (url.query ?? "").split(separator: "&").first { $0.hasPrefix(name + "=") }?.dropFirst(name.utf8.count + 1)
    }

    private static func isList(_ url: AbsoluteURL) -> Bool {
        url.text.drop { $0 != ":" }.dropFirst(3).prefix { $0 != "/" && $0 != "?" }.contains(",")
    }

    private static func notSpoken(_ url: AbsoluteURL) -> Problem {
        let what: String =
            switch url.scheme {
            case "redis+sentinel": "Redis Sentinel"
            case "redis+cluster": "Redis Cluster"
            default: "a list of Redis servers"
            }
        return Problem(
            description:
                "suite.stores.redis.url: \(what) comes in a later part; use redis://host:port/db, rediss://host:port/db or "
                + "unix:///path, "
                + "or suite.stores.fast: local")
    }

    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
