/// The file that `bulkhead init` writes: works at once on one machine without any key, and grows into a real deployment by
/// storing secrets.
package enum ConfigTemplate {
    /// The text of the file, with comments, for development on one machine. Relative folders are those of the directory the
    /// suite is started in.
    package static let development = """
        # Bulkhead. What is not understood here is refused: `bulkhead-<service> check` lists every problem with its line.
        # Every other key, with its default, is explained in bulkhead.example.yaml.

        suite:
          environment: dev              # production refuses what is only safe on one's own machine
          run_dir: .bulkhead/run
          state_dir: .bulkhead/state
          log_level: info
          stores: { durable: sqlite, fast: local }

        edge:
          listen: 127.0.0.1:8080
          auth: { mode: keys }          # make one: bulkhead-session keys create --tenant example
          guardrails:                   # off | monitor | enforce
            secrets: enforce
            canary: enforce
            hidden_text: enforce
            injection: monitor
            pii: monitor
            links: monitor
            output_schema: enforce

        router:
          providers:
            # `serve: all`: the provider's own model names work as soon as its secret is stored.
            - { name: openai, destination: openai, dialect: openai, serve: all }
            - { name: anthropic, destination: anthropic, dialect: anthropic, serve: all }
            - { name: demo, destination: demo, dialect: openai, serve: listed }
            - { name: builtin, dialect: builtin }     # all-MiniLM-L6-v2 of the retrieval service, for /v1/embeddings
          models:
            - name: assistant           # what clients send as "model"
              strategy: ordered         # the first target that works answers; put your own above the demo
              targets:
                # - { provider: openai, model: gpt-5-mini }
                # - { provider: anthropic, model: claude-sonnet-5 }
                - { provider: demo, model: demo-chat }
          cache:
            exact: { when: always, ttl: 1h }

        session:
          limits:
            per_user: { rpm: 600, tpm: 200000, concurrency: 32 }
          budgets: { per_user_usd_per_day: 5, per_tenant_usd_per_day: 100 }

        credentials:
          store: vault
          destinations:
            # Secrets are stored, never written here: bulkhead-credentials set OPENAI_API_KEY
            openai: { base_url: "https://api.openai.com", secret: OPENAI_API_KEY, preset: openai }
            anthropic: { base_url: "https://api.anthropic.com", secret: ANTHROPIC_API_KEY, preset: anthropic }
            # The stand-in provider of this machine; needs no secret.
            demo: { base_url: "http://127.0.0.1:8901", private_network: true }

        telemetry:
          retention: { spans: 14d, rollups: 400d }

        """
}
