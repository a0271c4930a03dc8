"use strict";
// Swagger UI over the document that the page names; it asks no validator and no other host.
const place = document.getElementById("swagger-ui");
window.ui = SwaggerUIBundle({
  domNode: place,
  url: place.dataset.url,
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: false,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
