// The three routes of the plugin `bench` on Fastify: node fastify_server.cjs DATABASE PORT
const Database = require("better-sqlite3");
const fastify = require("fastify")();

const db = new Database(process.argv[2], { readonly: true });
const one = db.prepare("SELECT * FROM rows WHERE id = ?");
const list = db.prepare("SELECT * FROM rows ORDER BY id LIMIT 50");
const HELLO = { hello: "world", number: 42, list: [1, 2, 3], ok: true };

fastify.get("/hello", async () => HELLO);
fastify.get("/rows", async () => list.all());
fastify.get("/rows/:id", async (request, reply) => one.get(Number(request.params.id)) ?? reply.code(404).send());

fastify.listen({ host: "127.0.0.1", port: Number(process.argv[3]) });
process.on("SIGTERM", () => fastify.close().then(() => process.exit(0)));
