import HTTPTypes

extension Admission {
    /// What to tell the client about a request that cannot be read.
    ///
    /// Key and limits are judged in one round trip that needs to know what the request asks for, so its body is read before. Who
    /// has no valid key is to learn that, and nothing about what it sent: here the key is asked for by itself.
    /// - Returns: `error`, or what the key is refused with.
    func verdict(on error: any Error, _ exchange: Exchange) async -> any Error {
        guard error is EdgeError else { return error }
        let question = AdmissionRequest(route: exchange.route, method: exchange.request.method.rawValue, counts: false)
        do {
            if case .run(let caller) = try await admit(question, exchange.request.headers, exchange.scope) {
                exchange.identify(caller, endUser: nil)
            }
            return error
        } catch let refusal {
            return refusal
        }
    }
}
