import RouterService

/// What Responses requests look like on the wire.
extension ResponsesGolden {
    static let requests: [GoldenRequest] = [
        .init(
            chat: "plain", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"stream":true,"store":false,"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "sampling", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"system","content":[{"type":"input_text","text":"Be brief."}]},{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"max_output_tokens":100,"stream":true,"store":false,"include":["reasoning.encrypted_content"],"safety_identifier":"anna"}
                """#),
        .init(
            chat: "probabilities", dialect: .openaiResponses, model: "gpt-4.1",
            expected: #"""
                /v1/responses
                {"model":"gpt-4.1","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"top_logprobs":2,"stream":true,"store":false,"include":["message.output_text.logprobs"]}
                """#),
        .init(
            chat: "system in the middle", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                refused: A stop sequence cannot be sent to this model: its provider speaks the OpenAI Responses dialect, which has no such thing.
                """#),
        .init(
            chat: "images", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Which?"},{"type":"input_image","image_url":"https://x.example/a.png","detail":"low"},{"type":"input_image","image_url":"data:image/jpeg;base64,QUJD","detail":"auto"},{"type":"input_image","image_url":"data:image/webp;base64,REVG","detail":"auto"}]}],"stream":true,"store":false,"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "documents", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_file","filename":"Report 1.pdf","file_data":"data:application/pdf;base64,JVBERg=="},{"type":"input_text","text":"Notes\n\nPlain words."},{"type":"input_text","text":"Sum up."}]}],"stream":true,"store":false,"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "sound", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                refused: A content part of this kind cannot be sent to this model: its provider speaks the OpenAI Responses dialect, into which this is not translated.
                """#),
        .init(
            chat: "tools", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"tools":[{"type":"function","name":"weather","description":"Tells.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]},"strict":false},{"type":"function","name":"clock","parameters":{"type":"object","properties":{"zone":{"type":["string","null"]}},"additionalProperties":false},"strict":true}],"tool_choice":{"type":"function","name":"clock"},"stream":true,"store":false,"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "one tool at a time", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"tools":[{"type":"function","name":"weather","description":"Tells.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]},"strict":false}],"tool_choice":"required","parallel_tool_calls":false,"stream":true,"store":false,"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "parallel calls and results", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Weather and time?"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Let me look."}]},{"type":"function_call","call_id":"functions_weather_0_f403ae4b6d15ba46","name":"weather","arguments":"{\"city\":\"Oslo\"}"},{"type":"function_call","call_id":"call_b","name":"clock","arguments":""},{"type":"function_call_output","call_id":"functions_weather_0_f403ae4b6d15ba46","output":"rain"},{"type":"function_call_output","call_id":"call_b","output":"Error: it stands still"},{"type":"message","role":"user","content":[{"type":"input_text","text":"So?"}]}],"tools":[{"type":"function","name":"weather","description":"Tells.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]},"strict":false},{"type":"function","name":"clock","parameters":{"type":"object","properties":{"zone":{"type":["string","null"]}},"additionalProperties":false},"strict":true}],"stream":true,"store":false,"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "results with images", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Draw."}]},{"type":"function_call","call_id":"t1","name":"draw","arguments":"{}"},{"type":"function_call_output","call_id":"t1","output":[{"type":"input_text","text":"Done:"},{"type":"input_image","image_url":"data:image/png;base64,QUJD","detail":"auto"}]}],"stream":true,"store":false,"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "schema", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"stream":true,"store":false,"text":{"format":{"type":"json_schema","name":"city","schema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false},"strict":true}},"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "JSON mode", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"stream":true,"store":false,"text":{"format":{"type":"json_object"}},"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "effort", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"max_output_tokens":20000,"stream":true,"store":false,"reasoning":{"effort":"medium"},"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "budget", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"max_output_tokens":8000,"stream":true,"store":false,"reasoning":{"effort":"medium","summary":"auto"},"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "no reasoning", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"max_output_tokens":100,"stream":true,"store":false,"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "signatures of all", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]},{"type":"reasoning","summary":[{"type":"summary_text","text":"as a response"}],"encrypted_content":"sig-r","id":"rs_1"},{"type":"function_call","call_id":"c1","name":"clock","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"noon"}],"stream":true,"store":false,"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "OpenAI members", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"max_output_tokens":50,"stream":true,"metadata":{"a":"b"},"prompt_cache_key":"k","store":false,"text":{"verbosity":"low"},"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "Anthropic members", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"max_output_tokens":1000,"stream":true,"store":false,"reasoning":{"effort":"low","summary":"auto"},"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "Responses members", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"max_output_tokens":30000,"stream":true,"store":true,"include":["reasoning.encrypted_content"],"reasoning":{"effort":"high","summary":"auto"},"text":{"verbosity":"low"},"truncation":"auto"}
                """#),
        .init(
            chat: "unknown member", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                refused: The member 'web_search_options' cannot be sent to this model: its provider speaks the OpenAI Responses dialect, into which this is not translated.
                """#),
        .init(
            chat: "several choices", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                refused: n=2 cannot be sent to this model: its provider speaks the OpenAI Responses dialect, which has no such thing.
                """#),
        .init(
            chat: "cache marks", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"system","content":[{"type":"input_text","text":"Long."}]},{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"tools":[{"type":"function","name":"weather","parameters":{"type":"object"},"strict":false}],"max_output_tokens":100,"stream":true,"store":false,"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "raw parts", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                refused: A content part of type 'search_result' cannot be sent to this model: its provider speaks the OpenAI Responses dialect, into which this is not translated.
                """#),
        .init(
            chat: "prefill", dialect: .openaiResponses, model: "gpt-5-mini",
            expected: #"""
                /v1/responses
                {"model":"gpt-5-mini","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"List."}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"1. "}]}],"stream":true,"store":false,"include":["reasoning.encrypted_content"]}
                """#),
        .init(
            chat: "effort", dialect: .openaiResponses, model: "gpt-4.1",
            expected: #"""
                /v1/responses
                {"model":"gpt-4.1","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"temperature":0.2,"max_output_tokens":20000,"stream":true,"store":false}
                """#),
    ]
}
