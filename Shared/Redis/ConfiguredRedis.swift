import BulkheadConfig
import Foundation
import Logging
import NIOCore

extension RedisClient {
    /// Runs work that waits for a file on a thread that may wait.
    package typealias Blocking = @Sendable (@escaping @Sendable () throws -> String) async throws -> String

    /// The client of the Redis that a suite is configured with; nil when its fast state is its own. The password's file is read
    /// at every connection.
    /// - Throws: `RedisAddress.Problem` for an address that is not spoken.
    package static func configured(
        _ stores: StoresConfiguration, eventLoop: any EventLoop, blocking: @escaping Blocking, observer: RedisObserver,
        logger: Logger
    ) throws(RedisAddress.Problem) -> RedisClient? {
        guard stores.fast == .redis, let redis = stores.redis else { return nil }
        let address = try RedisAddress(redis)
        let file = address.passwordFile
        return RedisClient(
            address, eventLoop: eventLoop, password: { try await password(file, blocking) }, observer: observer, logger: logger)
    }

    private static func password(_ file: String?, _ blocking: Blocking) async throws -> String? {
        guard let file else { return nil }
        let text = try await blocking { try String(contentsOfFile: file, encoding: .utf8) }
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }
}
