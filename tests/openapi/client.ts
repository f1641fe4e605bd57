// The types come from the document of the running server: what it does not say does not compile.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const [baseUrl, adminKey] = process.argv.slice(2);
const admin = createClient<paths>({ baseUrl, headers: { "X-Admin-API-Key": adminKey } });

const user = await admin.POST("/admin/users", {
  body: { email: "typed@example.com", max_concurrent_bots: 1 },
});
if (!user.data) throw new Error(JSON.stringify(user.error));
const token = await admin.POST("/admin/users/{id}/tokens", {
  params: { path: { id: user.data.id } },
  body: { name: "typed" },
});
if (!token.data) throw new Error(JSON.stringify(token.error));

const mine = createClient<paths>({ baseUrl, headers: { "X-API-Key": token.data.token } });
const caller = await mine.GET("/user");
if (!caller.data) throw new Error(JSON.stringify(caller.error));
const refused = await admin.GET("/admin/users/{id}", { params: { path: { id: 4711 } } });
console.log(caller.data.email, caller.data.token.name, refused.error?.detail);
