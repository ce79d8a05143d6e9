import BulkheadTokens
import Synchronization

// States of a vocabulary: closed (nobody asked) → open, or missing (not installed, or damaged) until it is looked for again.

/// The vocabularies of this process: read when first needed, off the event loop, then kept.
package final class VocabularyShelf: Sendable {
    private struct Book {
        var tokenizer: Tokenizer?
        /// Why it is missing, and when it is looked for again.
        var problem: String?
        var retryAt = 0
    }

    /// Runs work that blocks.
    package typealias Offload = @Sendable (@escaping @Sendable () -> Tokenizer?) async throws -> Tokenizer?

    /// Seconds after which a missing vocabulary is looked for again.
    private static let retryAfter = 60
    private let books = Mutex<[TokenVocabulary: Book]>([:])
    /// Held while reading a file, hence locked on blocking threads only.
    private let reading = Mutex(())
    private let find: @Sendable (TokenVocabulary) -> String?
    private let changed: @Sendable (TokenVocabulary, String?) -> Void
    private let now: @Sendable () -> Int
    private let wanted: AsyncStream<TokenVocabulary>
    private let wishes: AsyncStream<TokenVocabulary>.Continuation

    /// - Parameters:
    ///   - find: the folder with a vocabulary's file; blocks on the file system.
    ///   - now: seconds of any clock.
    ///   - changed: told on a blocking thread that a vocabulary is open (nil), or why it is not; the same reason once.
    package init(
        find: @escaping @Sendable (TokenVocabulary) -> String?, now: @escaping @Sendable () -> Int,
        changed: @escaping @Sendable (TokenVocabulary, String?) -> Void
    ) {
        self.find = find
        self.now = now
        self.changed = changed
        (wanted, wishes) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(TokenVocabulary.allCases.count))
    }

    /// Has no vocabulary and never will.
    package static let empty = VocabularyShelf(find: { _ in nil }, now: { 0 }, changed: { _, _ in })

    /// The vocabulary if it is open. Otherwise it will be soon: `run` is told.
    package func ready(_ vocabulary: TokenVocabulary) -> Tokenizer? {
        let (tokenizer, isWanted) = books.withLock { books in
            var book = books[vocabulary] ?? Book()
            let isWanted = book.tokenizer == nil && now() >= book.retryAt
            if isWanted {
                book.retryAt = now() + Self.retryAfter
                books[vocabulary] = book
            }
            return (book.tokenizer, isWanted)
        }
        if isWanted { wishes.yield(vocabulary) }
        return tokenizer
    }

    /// Opens what `ready` asked for, until cancelled.
    package func run(_ offload: Offload) async throws {
        for await vocabulary in wanted {
            // Too many wait for a thread: it is asked for again.
            do { _ = try await offload { [self] in open(vocabulary) } } catch is CancellationError { return } catch { continue }
        }
    }

    /// The vocabulary, opened if need be; nil when it is missing. Blocks on the file system.
    package func open(_ vocabulary: TokenVocabulary) -> Tokenizer? {
        reading.withLock { _ in
            if let open = books.withLock({ $0[vocabulary]?.tokenizer }) { return open }
            let read = read(vocabulary)
            let isNew = books.withLock { books in
                let before = books[vocabulary]
                books[vocabulary] = Book(tokenizer: read.tokenizer, problem: read.problem, retryAt: now() + Self.retryAfter)
                return before?.problem != read.problem || read.problem == nil
            }
            if isNew { changed(vocabulary, read.problem) }
            return read.tokenizer
        }
    }

    private func read(_ vocabulary: TokenVocabulary) -> (tokenizer: Tokenizer?, problem: String?) {
        guard let folder = find(vocabulary) else { return (nil, "\(vocabulary.fileName) is not installed") }
        do {
            return (try Tokenizer(vocabulary, folder: folder), nil)
        } catch {
            return (nil, "\(error)")
        }
    }
}
