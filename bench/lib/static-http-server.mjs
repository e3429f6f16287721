/**
 * The baseline of HTTP: a bare fastify route that answers with bytes it was given.
 *
 * It has the path of the real one, so that a client does exactly the same for both, and it reads the request as fastify does unasked, with
 * `JSON.parse`. `/prepare` sets the answer.
 */
import fastify from 'fastify'

let answer = ''
const app = fastify({ bodyLimit: 256 * 1024 * 1024 })
app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => done(null, body))
app.post('/prepare', (request, reply) => {
  answer = request.body
  reply.code(204).send()
})
app.post('/v1/get-features', (_request, reply) => {
  reply.header('content-type', 'application/json; charset=utf-8').send(answer)
})
await app.listen({ host: '127.0.0.1', port: 0 })
console.log(`ready http 127.0.0.1:${app.server.address().port}`)
process.once('SIGTERM', () => app.close())
