import BulkheadServiceKit
import Crypto
import NIOCore
import NIOSSL
import SwiftASN1
import X509

/// Whom TLS trusts: the system's certificate authorities, and those of a file.
final class TrustSettings: Sendable {
    private let additional: [NIOSSLCertificate]

    /// - Throws: `StartupFailure` when the file cannot be used. Blocks on it.
    init(caFile: String?) throws {
        guard let path = caFile else {
            additional = []
            return
        }
        do {
            additional = try NIOSSLCertificate.fromPEMFile(path)
        } catch {
            throw StartupFailure("credentials.egress.ca_file: \(path) holds no PEM certificates or cannot be read", exitCode: 78)
        }
    }

    /// Certificate and host are always verified. Blocks: reads the system's authorities.
    func context(_ floor: TLSFloor) throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = floor == .v13 ? .tlsv13 : .tlsv12
        tls.certificateVerification = .fullVerification
        tls.applicationProtocols = ["h2", "http/1.1"]
        if !additional.isEmpty { tls.additionalTrustRoots = [.certificates(additional)] }
        return try NIOSSLContext(configuration: tls)
    }

    /// The same authorities for `ChainVerification`.
    func roots() throws -> CertificateStore {
        var roots = CertificateStore.systemTrustRoots
        roots.append(contentsOf: try additional.map { try Certificate(derEncoded: $0.toDERBytes()) })
        return roots
    }
}

/// Verification of a certificate chain where more is asked than TLS itself looks at: keys that are pinned, anywhere in the chain
/// that leads to a trusted authority, or an address behind a proxy. It takes the place of TLS's own verification and checks the
/// same: signatures, dates, constraints, authority and host.
final class ChainVerification: Sendable {
    private let roots: CertificateStore
    private let origin: Origin
    /// Succeeds with why a chain was refused.
    let refusal: EventLoopPromise<UpstreamFault?>

    init(_ roots: CertificateStore, _ origin: Origin, _ eventLoop: any EventLoop) {
        self.roots = roots
        self.origin = origin
        refusal = eventLoop.makePromise()
    }

    /// As `NIOSSLClientHandler` calls it: certificates as the server sent them, its own first.
    func verify(_ sent: [NIOSSLCertificate], _ promise: EventLoopPromise<NIOSSLVerificationResultWithMetadata>) {
        promise.completeWithTask { [self] in
            let chain: [NIOSSLCertificate]
            do throws(UpstreamFault) {
                chain = try await verified(sent)
            } catch {
                refusal.succeed(error)
                return .failed
            }
            refusal.succeed(nil)
            return .certificateVerified(VerificationMetadata(ValidatedCertificateChain(chain)))
        }
    }

    private func verified(_ sent: [NIOSSLCertificate]) async throws(UpstreamFault) -> [NIOSSLCertificate] {
        let isAddress = (try? SocketAddress(ipAddress: origin.host, port: 0)) != nil
        let certificates = sent.compactMap { try? Certificate(derEncoded: $0.toDERBytes()) }
        guard let leaf = certificates.first, certificates.count == sent.count else { throw .untrusted }
        var verifier = Verifier(rootCertificates: roots) {
            RFC5280Policy()
            ServerIdentityPolicy(serverHostname: isAddress ? nil : origin.name, serverIP: isAddress ? origin.host : nil)
        }
        let result = await verifier.validate(leaf: leaf, intermediates: CertificateStore(certificates.dropFirst()))
        guard case .validCertificate(let chain) = result else { throw .untrusted }
        let found = chain.compactMap(Self.certificate)
        guard origin.pins.isEmpty || found.contains(where: { Self.key($0).map(origin.pins.contains) ?? false }) else {
            throw .otherKey
        }
        return found
    }

    private static func certificate(_ certificate: Certificate) -> NIOSSLCertificate? {
        var serializer = DER.Serializer()
        guard (try? serializer.serialize(certificate)) != nil else { return nil }
        return try? NIOSSLCertificate(bytes: serializer.serializedBytes, format: .der)
    }

    /// SHA-256 of its public key in base64.
    private static func key(_ certificate: NIOSSLCertificate) -> String? {
        guard let bytes = try? certificate.extractPublicKey().toSPKIBytes() else { return nil }
        return String(decoding: Base64.encode(Array(SHA256.hash(data: bytes))), as: UTF8.self)
    }
}
