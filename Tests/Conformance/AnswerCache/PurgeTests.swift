import BulkheadCore
import BulkheadRedis
import RedisFixture
import RouterService
import Testing

@Suite("A purge in Redis")
struct PurgeTests {
    /// Answers of one tenant, as many as `RedisAnswers` would have kept one by one.
    private static let fill = """
        for i = 1, 10000 do
            local name = ARGV[1] .. '-' .. i
            redis.call('SET', 'bh:ac2:{' .. KEYS[1] .. '}:' .. name, string.rep('x', 200), 'PX', 600000)
            redis.call('ZADD', 'bh:ac2:{' .. KEYS[1] .. '}:ix', 4102444800000, name)
        end
        redis.call('ZADD', 'bh:ac2:tenants', 4102444800000, KEYS[1])
        """

    @Test("100 000 answers go away without a command that holds others up, and without KEYS or SCAN")
    func large() async throws {
        let server = try RedisServer()
        try await withClient(server.address) { client in
            try await eventually("redis to be ready") { client.isReady }
            let tenant = "\(try key("any").tenant)"
            for part in 0 ..< 10 {
                _ = try await client.run(
                    [RedisCommand("EVAL", Self.fill, "1", tenant, "\(part)")], within: .seconds(10))
            }
            // Ten milliseconds by the server's own clock: KEYS over as many takes more than forty, and this machine may be busy.
            let prepare = [
                RedisCommand("CONFIG", "SET", "slowlog-log-slower-than", "10000"), RedisCommand("SLOWLOG", "RESET"),
                RedisCommand("CONFIG", "RESETSTAT"),
            ]
            _ = try await client.run(prepare, within: .seconds(1))
            #expect(try await RedisAnswers(client).purge(nil) == 100_000)
            let told = try await client.run(
                [RedisCommand("SLOWLOG", "LEN"), RedisCommand("INFO", "commandstats"), RedisCommand("DBSIZE")],
                within: .seconds(1))
            #expect(told[0].integer == 0)
            let statistics = told[1].bytes.map { String(buffer: $0) } ?? ""
            #expect(
                statistics.contains("cmdstat_unlink") && !statistics.contains("cmdstat_keys")
                    && !statistics.contains("cmdstat_scan"))
            #expect(told[2].integer == 0)
        }
    }
}
