// The keys that Authorize takes stay in this page's memory and go when it is closed.
window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});

// Swagger UI puts the cursor into the last key of the dialog; the first is the one that is asked for.
document.addEventListener("click", (event) => {
  if (event.target.closest(".btn.authorize, .authorization__btn")) {
    requestAnimationFrame(() => document.querySelector(".auth-container input")?.focus());
  }
});
