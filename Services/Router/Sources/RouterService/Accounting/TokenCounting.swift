import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadTokens
import Glibc
import Logging
import NIOCore

/// Answers `CountTokens`: the provider's own number where it tells one soon, else ours. Neither is charged, retried or held
/// against the target.
package struct TokenCounting: Sendable {
    package let exchange: UpstreamExchange
    package let breakers: TargetBreakers
    package let switches: TargetSwitches
    package let counter: TokenCounter
    package let eventLoop: any EventLoop
    package let logger: Logger
    /// Runs work that blocks.
    package let offload: @Sendable (@escaping @Sendable () -> Int) async throws -> Int

    /// How long a provider may take.
    private static let patience = Duration.seconds(3)

    package func run(_ request: RouterAPI.CountTokensRequest, _ settings: RouterSettings, _ call: ServerCall) async throws
        -> RouterAPI.CountTokensReply
    {
        guard let chat = request.chat else {
            throw CallError(.invalidArgument, reason: "invalid_request", message: "The request has no chat.")
        }
        let route = try settings.table.route(chat.model)
        let on = try Self.fitting(chat, route.targets).filter { !switches.isDisabled($0.label) }
        guard let target = on.first(where: { breakers.look($0).state != .open }) ?? on.first ?? route.targets.first else {
            throw CallError(.internal, message: "the route '\(route.alias)' has no target")
        }
        if target.dialect == .builtin {
            _ = try ChatEncoding.request(chat, for: target, defaultMaxTokens: route.defaultMaxTokens)
        }
        var served = ChatAPI.Served(provider: target.provider, model: target.model, cache: .off, created: time(nil))
        if let tokens = try await provider(chat, target, route, call) {
            served.attempts = 1
            return RouterAPI.CountTokensReply(inputTokens: tokens, served: served)
        }
        let tokens = try await offload { [counter] in counter.count(chat, TokenVocabulary.of(target.model)) }
        return RouterAPI.CountTokensReply(inputTokens: tokens, estimated: true, served: served)
    }

    /// The targets that understand every member of the request. - Throws: why the first one does not, when none does.
    private static func fitting(_ chat: ChatAPI.ChatRequest, _ targets: [Target]) throws -> [Target] {
        let intent = try ChatIntent(chat)
        var refusal: (any Error)?
        let fitting = targets.filter { target in
            if intent.isNative(target.dialect.wire) || target.dialect == .builtin { return true }
            do {
                try ForeignMembers.check(intent, target.dialect.rawValue)
                return true
            } catch {
                refusal = refusal ?? error
                return false
            }
        }
        if fitting.isEmpty, let refusal { throw refusal }
        return fitting
    }

    /// The provider's number; nil when it has none to tell.
    private func provider(_ chat: ChatAPI.ChatRequest, _ target: Target, _ route: Route, _ call: ServerCall) async throws -> Int?
    {
        let state = breakers.look(target).state
        guard state != .open, state != .forcedOpen, !switches.isDisabled(target.label) else { return nil }
        do {
            guard let count = try ProviderCount(chat, for: target) else { return nil }
            let options = CallOptions(deadline: min(call.deadline, .now() + Self.patience), metadata: call.metadata)
            let watchdog = Watchdog(eventLoop: eventLoop, limit: Self.patience)
            return try await exchange.perform(
                count.request, target, connectTimeout: route.timeouts.connect, options, watchdog
            ) { head, body in
                guard head.isSuccess, let bytes = try await body.whole(limit: ProviderCount.maxAnswer) else {
                    logger.debug("a provider did not count tokens", metadata: ["status": "\(head.status)"])
                    return nil
                }
                return count.tokens(bytes)
            }
        } catch {
            if Task.isCancelled { throw error }
            logger.debug("a provider did not count tokens", metadata: ["target": "\(target.label)", "error": "\(error)"])
            return nil
        }
    }
}
