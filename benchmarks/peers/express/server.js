// Express with express-session and connect-redis, as the latter's documentation begins.
import {RedisStore} from "connect-redis"
import express from "express"
import session from "express-session"
import {createClient} from "redis"

const client = createClient({url: process.env.REDIS_URL})
await client.connect()

const app = express()
app.use(
  session({
    store: new RedisStore({client}),
    resave: false,
    saveUninitialized: false,
    secret: process.env.SECRET,
  }),
)
app.get("/", (request, response) => {
  request.session.views = (request.session.views ?? 0) + 1
  response.json({views: request.session.views})
})
app.get("/fill/:keys/:size", (request, response) => {
  for (let number = 0; number < request.params.keys; number++) {
    request.session[`key ${number}`] = "x".repeat(request.params.size)
  }
  response.json({keys: Number(request.params.keys)})
})
app.get("/read", (request, response) => {
  const text = request.session["key 0"]
  response.json({begins: text.slice(0, 20), size: text.length})
})
app.get("/change/:size", (request, response) => {
  const text = String(process.hrtime.bigint()).padEnd(request.params.size, "x")
  request.session["key 0"] = text
  response.json({begins: text.slice(0, 20), size: text.length})
})
app.listen(process.env.PORT, "127.0.0.1")
