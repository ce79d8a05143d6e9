import BulkheadConfig
import BulkheadRedis
import Testing

@Suite("Where a Redis is") struct RedisAddressTests {
    private func address(_ url: String) throws -> RedisAddress {
        try RedisAddress(StoresConfiguration.Redis(url: url))
    }

    @Test("TCP and Unix sockets, with user, password and number of the database")
    func addresses() throws {
        #expect(try address("redis://cache").endpoint == .tcp(host: "cache", port: 6379))
        let full = try address("redis://app:p%40ss@10.0.0.1:6380/3")
        #expect(full.endpoint == .tcp(host: "10.0.0.1", port: 6380) && full.database == 3)
        #expect(full.user == "app" && full.password == "p@ss")
        let unix = try address("unix:///run/redis.sock?db=2")
        #expect(unix.endpoint == .unix(path: "/run/redis.sock") && unix.database == 2 && unix.user == nil)
        #expect(full.place == "10.0.0.1:6380")
    }

    @Test("TLS, by the system's authorities or those of a file")
    func tls() throws {
        #expect(try address("redis://cache").tls == nil)
        #expect(try address("rediss://cache:6380/1").tls == RedisAddress.TLS())
        let own = try address("rediss://cache/2?ca_file=%2Frun/ca.pem")
        #expect(own.tls == RedisAddress.TLS(authorityFile: "/run/ca.pem") && own.database == 2)
        #expect(own.endpoint == .tcp(host: "cache", port: 6379))
    }

    @Test(
        "what is not spoken is refused, and says what to write instead",
        arguments: [
            ("redis+sentinel://a:1,b:2/main", "Redis Sentinel"),
            ("redis+cluster://a:1,b:2", "Redis Cluster"), ("redis://a:1,b:2", "a list of Redis servers"),
            ("redis://cache/abc", "no number of a database"),
        ])
    func refused(_ url: String, _ words: String) throws {
        let problem = #expect(throws: RedisAddress.Problem.self) { try address(url) }
        #expect(problem?.description.contains(words) == true)
    }
}
